import { Drop, type Emitter, toValue } from 'liquidjs';
import { writeJson } from './exact-json.js';
import { maxOutput } from './limits.js';
import { marked, unmarked } from './marks.js';
import { WrittenNumber } from './written-number.js';

/** The value of a placeholder before it is written. The emitter decides whether it becomes text, and marks it. */
export class Shown {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** Rendered text with marked values, e.g. of `capture`. Filters see it as an ordinary string. */
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

/** The result of the filter `json` in a JSON text: the value itself, or its JSON if text is needed. */
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

/** Converts a value to text as Liquid does: null is empty, array items are concatenated. Objects become JSON. */
function textOf(value: unknown): string {
  const plain = toValue(value);
  if (typeof plain === 'string') return plain;
  if (plain === null || plain === undefined) return '';
  if (Array.isArray(plain)) return plain.map(textOf).join('');
  return typeof plain === 'object' && !(plain instanceof WrittenNumber) ? writeJson(plain) : String(plain);
}

/** Converts a shown value to marked text. */
export const markedText = ({ value }: Shown): string =>
  value instanceof Rendered ? value.text : marked(textOf(value));

/** Throws if the output exceeds the limit. liquidjs adds the position. */
export function checkOutput(length: number): void {
  if (length > maxOutput) throw new Error('output limit exceeded');
}

/** Creates an emitter that joins the output of a template, with values marked. */
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
