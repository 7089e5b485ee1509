import { beginRendering, compile } from './compile.js';
import type { TemplateContext } from './context.js';
import { faultAt, tooMuch } from './fault.js';
import { maxOutput } from './limits.js';
import { placed } from './marks.js';
import { oneLine, type Place } from './place.js';
import { textEmitter } from './shown.js';

/** A text with placeholders, parsed. */
export interface Template {
  /** Renders to at most 256 KiB of text. Throws `invalid_template` if the size, time or memory limit is exceeded. */
  render(context: TemplateContext): string;
}

/**
 * Parses a Liquid template of at most 64 KiB and 1,000 placeholders and tags. Throws `invalid_template` with a message
 * that starts with `line L, column C: `. The parsed template is cached for the next call with the same source.
 */
export function parseTemplate(source: string, place: Place): Template {
  const compiled = compile(source, place);
  return {
    render(context) {
      const emitter = textEmitter();
      beginRendering(context)(compiled, emitter);
      const text = placed(emitter.buffer, place);
      if (Buffer.byteLength(text) > maxOutput) throw faultAt(1, 1, tooMuch);
      return place === 'header' ? oneLine(text) : text;
    },
  };
}
