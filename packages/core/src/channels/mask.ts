import { inspect } from 'node:util';

/** What is shown in place of a secret. */
export const mask = '***';

/** Text that shows as `***` in logs, JSON and error messages. `reveal` returns it. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Returns the text. Hand it only to code that needs it and does not keep it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return mask;
  }

  toJSON(): string {
    return mask;
  }

  [inspect.custom](): string {
    return mask;
  }
}
