/** How a text travels: as 7-bit characters where it can, else as UTF-16, which network operators call UCS-2. */
export type SmsEncoding = 'GSM-7' | 'UCS-2';

export interface Segments {
  readonly encoding: SmsEncoding;
  /** What each text message carries; together they are the text. One at least. */
  readonly parts: readonly string[];
}

/** The 7-bit default alphabet of 3GPP TS 23.038 (GSM 03.38), §6.2.1, without the escape. */
const basic = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
    '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);

/** Its extension table, §6.2.1.1: an escape goes before each, so that it counts twice. */
const extension = new Set('\f^{}\\[~]|€');

/** Units in a message of its own, and in one of several, which begins with 6 octets that say where it belongs. */
const limits = {
  'GSM-7': { alone: 160, ofSeveral: 153 },
  'UCS-2': { alone: 70, ofSeveral: 67 },
} as const;

/** What stands for what was cut off, in characters of the same encoding. */
const marks = { 'GSM-7': '...', 'UCS-2': '…' } as const;

/**
 * How `text` is split into messages, which is what providers charge by: 160 septets in GSM-7 or 153 of several, 70 or
 * 67 UTF-16 units in UCS-2 (3GPP TS 23.038, 23.040 §9.2.3.24.1). No character is split, be it of two septets or a
 * surrogate pair.
 */
export function segmentsOf(text: string): Segments {
  const encoding = encodingOf(text);
  const { alone } = limits[encoding];
  const sizeOf = sizes[encoding];
  let size = 0;
  for (const character of text) size += sizeOf(character);
  return { encoding, parts: size <= alone ? [text] : partsOf(text, encoding) };
}

/** `text` in parts of several. */
function partsOf(text: string, encoding: SmsEncoding): readonly string[] {
  const { ofSeveral } = limits[encoding];
  const sizeOf = sizes[encoding];
  const parts: string[] = [];
  let start = 0;
  let end = 0;
  let filled = 0;
  for (const character of text) {
    const more = sizeOf(character);
    if (filled + more > ofSeveral) {
      parts.push(text.slice(start, end));
      start = end;
      filled = 0;
    }
    filled += more;
    end += character.length;
  }
  return [...parts, text.slice(start)];
}

/**
 * The beginning of `text` that `maxSegments` have room for, a mark at its end; or all of it. Its encoding is that of what is
 * kept: a character that is cut off costs the others nothing.
 */
export function cutToSegments(text: string, maxSegments: number): string {
  if (segmentsOf(text).parts.length <= maxSegments) return text;
  const inUcs2 = cutAs('UCS-2', text, maxSegments);
  // As far as GSM-7 goes; where that is further than the other encoding would go.
  const inGsm7 = cutAs('GSM-7', gsm7Beginning(text), maxSegments);
  return inGsm7.length > inUcs2.length ? inGsm7 : inUcs2;
}

/** The beginning of `text` in characters of GSM-7. */
function gsm7Beginning(text: string): string {
  let end = 0;
  for (const character of text) {
    if (!basic.has(character) && !extension.has(character)) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** The beginning of a text that goes on, in so many segments of an encoding, with a mark at its end. */
function cutAs(encoding: SmsEncoding, text: string, maxSegments: number): string {
  const { alone, ofSeveral } = limits[encoding];
  const mark = marks[encoding];
  const parts = partsOf(text, encoding);
  if (maxSegments === 1) return beginning(text, alone - mark.length, encoding) + mark;
  const whole = parts.slice(0, maxSegments - 1);
  const last = parts[maxSegments - 1] ?? whole.pop() ?? '';
  return whole.join('') + beginning(last, ofSeveral - mark.length, encoding) + mark;
}

/** As many whole characters from the beginning of `text` as fit into so many units. */
function beginning(text: string, units: number, encoding: SmsEncoding): string {
  let end = 0;
  let size = 0;
  for (const character of text) {
    size += sizes[encoding](character);
    if (size > units) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function encodingOf(text: string): SmsEncoding {
  for (const character of text) if (!basic.has(character) && !extension.has(character)) return 'UCS-2';
  return 'GSM-7';
}

const sizes: Readonly<Record<SmsEncoding, (character: string) => number>> = {
  'GSM-7': (character) => (extension.has(character) ? 2 : 1),
  'UCS-2': (character) => character.length,
};
