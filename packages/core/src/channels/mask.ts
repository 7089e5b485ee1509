import { inspect } from 'node:util';

/** What stands wherever a secret is not shown. */
export const mask = '***';

/** A text that is shown to nobody who does not ask for it: in logs, JSON and error messages it is `***`. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Hand it to what needs it, and to nothing that keeps it. */
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
