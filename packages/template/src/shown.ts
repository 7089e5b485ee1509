import { Drop, type Emitter, toValue } from 'liquidjs';
import { maxOutput } from './limits.js';
import type { Escape } from './place.js';

/** The value of a placeholder on its way out: whoever writes it knows the place, and escapes for it. */
export class Shown {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** Text that was escaped for its place already, such as what `capture` kept. Filters see ordinary text, to be escaped. */
export class Rendered extends Drop {
  readonly #text: string;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  override valueOf(): string {
    return this.#text;
  }
}

/** What the filter `json` makes within a JSON text: the value itself, and its JSON where text is wanted. */
export class AsJson extends Drop {
  readonly value: unknown;

  constructor(value: unknown) {
    super();
    this.value = value;
  }

  override valueOf(): string {
    return JSON.stringify(this.value) ?? '';
  }
}

/** A value as text, as Liquid has it: nothing for null, an array as its items in a row. Objects are JSON. */
function textOf(value: unknown): string {
  const plain = toValue(value);
  if (typeof plain === 'string') return plain;
  if (plain === null || plain === undefined) return '';
  if (Array.isArray(plain)) return plain.map(textOf).join('');
  return typeof plain === 'object' ? (JSON.stringify(plain) ?? '') : String(plain);
}

/** A shown value as text, escaped once. */
export const escapedText = ({ value }: Shown, escaping: Escape): string =>
  value instanceof Rendered ? value.valueOf() : escaping(textOf(value));

/** Throws where there is more than may be rendered. liquidjs says where. */
export function checkOutput(length: number): void {
  if (length > maxOutput) throw new Error('output limit exceeded');
}

/** Joins what a template writes, each value escaped. */
export function textEmitter(escaping: Escape): Emitter {
  const emitter = {
    buffer: '',
    write(chunk: unknown) {
      emitter.buffer += chunk instanceof Shown ? escapedText(chunk, escaping) : String(chunk);
      checkOutput(emitter.buffer.length);
    },
  };
  return emitter;
}
