import { Drop, type Emitter, toValue } from 'liquidjs';
import { writeJson } from './exact-json.js';
import { maxOutput } from './limits.js';
import { marked, unmarked } from './marks.js';
import { WrittenNumber } from './written-number.js';

/** The value of a placeholder on its way out: whoever writes it knows whether text is wanted, and marks it there. */
export class Shown {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** Rendered text, such as what `capture` kept, in which values are marked. Filters see ordinary text, a value as a whole. */
export class Rendered extends Drop {
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }

  override valueOf(): string {
    return unmarked(this.text);
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
    return writeJson(this.value);
  }
}

/** A value as text, as Liquid has it: nothing for null, an array as its items in a row. Objects are JSON. */
function textOf(value: unknown): string {
  const plain = toValue(value);
  if (typeof plain === 'string') return plain;
  if (plain === null || plain === undefined) return '';
  if (Array.isArray(plain)) return plain.map(textOf).join('');
  return typeof plain === 'object' && !(plain instanceof WrittenNumber) ? writeJson(plain) : String(plain);
}

/** A shown value as text, marked. */
export const markedText = ({ value }: Shown): string =>
  value instanceof Rendered ? value.text : marked(textOf(value));

/** Throws where there is more than may be rendered. liquidjs says where. */
export function checkOutput(length: number): void {
  if (length > maxOutput) throw new Error('output limit exceeded');
}

/** Joins what a template writes, values marked. */
export function textEmitter(): Emitter {
  const emitter = {
    buffer: '',
    write(chunk: unknown) {
      emitter.buffer += chunk instanceof Shown ? markedText(chunk) : String(chunk);
      checkOutput(emitter.buffer.length);
    },
  };
  return emitter;
}
