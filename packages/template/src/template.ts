import { beginRendering, compile } from './compile.js';
import type { TemplateContext } from './context.js';
import { faultAt } from './fault.js';
import { maxOutput } from './limits.js';
import { escapes, oneLine, type Place } from './place.js';
import { textEmitter } from './shown.js';

/** A text with placeholders, parsed. */
export interface Template {
  /** At most 256 KiB of text. Throws `invalid_template` where that, the time or the memory for it is not enough. */
  render(context: TemplateContext): string;
}

/**
 * Parses a Liquid template of at most 64 KiB and 1,000 placeholders and tags. Throws `invalid_template` with a message
 * that begins `line L, column C: `. What was parsed is kept for the next call with the same source.
 */
export function parseTemplate(source: string, place: Place): Template {
  const compiled = compile(source, place);
  return {
    render(context) {
      const emitter = textEmitter(escapes[place]);
      beginRendering(context)(compiled, emitter);
      if (Buffer.byteLength(emitter.buffer) > maxOutput) {
        throw faultAt(1, 1, `renders to more than ${maxOutput / 1024} KiB`);
      }
      return place === 'header' ? oneLine(emitter.buffer) : emitter.buffer;
    },
  };
}
