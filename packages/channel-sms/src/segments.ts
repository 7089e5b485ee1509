/** The encoding of a text: 7-bit characters if possible, else UTF-16, which network operators call UCS-2. */
export type SmsEncoding = 'GSM-7' | 'UCS-2';

/** Into how many segments a text is split, and in which encoding. */
export interface Segments {
  readonly encoding: SmsEncoding;
  /** The text of each message, at least one. Joined, they are the whole text. */
  readonly parts: readonly string[];
}

/** The 7-bit default alphabet of 3GPP TS 23.038 (GSM 03.38) §6.2.1, without the escape character. */
const basic = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
    '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);

/** The extension table, §6.2.1.1. Each character follows an escape and therefore counts twice. */
const extension = new Set('\f^{}\\[~]|€');

/** Units in a single message, and in one of several, which starts with a header of 6 octets. */
const limits = {
  'GSM-7': { alone: 160, ofSeveral: 153 },
  'UCS-2': { alone: 70, ofSeveral: 67 },
} as const;

/** The mark at the end of a cut text, in characters of the same encoding. */
const marks = { 'GSM-7': '...', 'UCS-2': '…' } as const;

/**
 * Splits a text into messages, by which providers charge. In GSM-7, a single message has 160 septets and each of
 * several 153; in UCS-2, 70 and 67 UTF-16 units (3GPP TS 23.038, 23.040 §9.2.3.24.1). Neither a character of two
 * septets nor a surrogate pair is split.
 */
export function segmentsOf(text: string): Segments {
  const encoding = encodingOf(text);
  const { alone } = limits[encoding];
  const sizeOf = sizes[encoding];
  let size = 0;
  for (const character of text) size += sizeOf(character);
  return { encoding, parts: size <= alone ? [text] : partsOf(text, encoding) };
}

/** Splits a text that needs several messages. */
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
 * Cuts a text to `maxSegments`, with a mark at the end; returns a text that fits unchanged. The kept part decides the
 * encoding, so a removed character does not affect it.
 */
export function cutToSegments(text: string, maxSegments: number): string {
  if (segmentsOf(text).parts.length <= maxSegments) return text;
  const inUcs2 = cutAs('UCS-2', text, maxSegments);
  // Up to the first character outside GSM-7, if that keeps more than UCS-2 would.
  const inGsm7 = cutAs('GSM-7', gsm7Beginning(text), maxSegments);
  return inGsm7.length > inUcs2.length ? inGsm7 : inUcs2;
}

/** Returns the beginning of a text up to the first character outside GSM-7. */
function gsm7Beginning(text: string): string {
  let end = 0;
  for (const character of text) {
    if (!basic.has(character) && !extension.has(character)) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Cuts a longer text to `maxSegments` in an encoding, with a mark at the end. */
function cutAs(encoding: SmsEncoding, text: string, maxSegments: number): string {
  const { alone, ofSeveral } = limits[encoding];
  const mark = marks[encoding];
  const parts = partsOf(text, encoding);
  if (maxSegments === 1) return beginning(text, alone - mark.length, encoding) + mark;
  const whole = parts.slice(0, maxSegments - 1);
  const last = parts[maxSegments - 1] ?? whole.pop() ?? '';
  return whole.join('') + beginning(last, ofSeveral - mark.length, encoding) + mark;
}

/** Returns as many whole characters from the start of a text as fit into `units`. */
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
