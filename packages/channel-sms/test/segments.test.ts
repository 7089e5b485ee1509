import fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import { describe, expect, test } from 'vitest';
import { segmentsOf } from '../src/index.js';
import { cutToSegments } from '../src/segments.js';

const gsm = '@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà';
const extended = '^{}\\[~]|€';

const gsmText = fc.string({ unit: fc.constantFrom(...gsm, ...extended), maxLength: 1_000 });
const anyText = fc.oneof(
  gsmText,
  fc.string({ unit: 'grapheme', maxLength: 500 }),
  fc.string({ unit: 'binary', maxLength: 500 }),
  fc.string({ unit: fc.constantFrom('a', '€', '📯', 'я', '👩‍🚒'), maxLength: 500 }),
);

/** Counts the units of a part independently. */
function unitsOf(part: string, encoding: string): number {
  if (encoding === 'UCS-2') return part.length;
  return [...part].reduce((units, character) => units + (`${extended}\f`.includes(character) ? 2 : 1), 0);
}

const largest = { 'GSM-7': [160, 153], 'UCS-2': [70, 67] } as const;

test('the kept part of a text decides its encoding, regardless of the removed part', () => {
  const cut = cutToSegments(`${'a'.repeat(600)}📯`, 3);
  expect(cut).toBe(`${'a'.repeat(456)}...`);
  expect(segmentsOf(cut)).toMatchObject({ encoding: 'GSM-7', parts: { length: 3 } });
  expect(cutToSegments(`📯${'a'.repeat(600)}`, 3)).toBe(`📯${'a'.repeat(198)}…`);
  // UCS-2 keeps the emoji, and more of the text than GSM-7 would.
  expect(cutToSegments(`${'a'.repeat(100)}📯${'b'.repeat(600)}`, 3)).toContain('📯');
  expect(cutToSegments(`${'a'.repeat(159)}📯`, 1)).toBe(`${'a'.repeat(157)}...`);
});

describe('segmentsOf', () => {
  test.each<[string, string, string, number]>([
    ['nothing', '', 'GSM-7', 1],
    ['160 of GSM-7', 'a'.repeat(160), 'GSM-7', 1],
    ['161 of GSM-7', 'a'.repeat(161), 'GSM-7', 2],
    ['306 of GSM-7', 'a'.repeat(306), 'GSM-7', 2],
    ['307 of GSM-7', 'a'.repeat(307), 'GSM-7', 3],
    ['80 that count twice', '€'.repeat(80), 'GSM-7', 1],
    ['81 that count twice', '€'.repeat(81), 'GSM-7', 2],
    // 153 is odd, and an escape must be in the same part as its character.
    ['153 that count twice, at 76 a part', '€'.repeat(153), 'GSM-7', 3],
    ['70 of UCS-2', 'я'.repeat(70), 'UCS-2', 1],
    ['71 of UCS-2', 'я'.repeat(71), 'UCS-2', 2],
    ['134 of UCS-2', 'я'.repeat(134), 'UCS-2', 2],
    ['135 of UCS-2', 'я'.repeat(135), 'UCS-2', 3],
    ['35 surrogate pairs', '📯'.repeat(35), 'UCS-2', 1],
    ['67 surrogate pairs, at 33 a part', '📯'.repeat(67), 'UCS-2', 3],
    ['one character outside GSM-7', `${'a'.repeat(70)}ç`, 'UCS-2', 2],
    ['a grave accent', '`', 'UCS-2', 1],
  ])('counts %s', (_, text, encoding, count) => {
    const segments = segmentsOf(text);
    expect(segments.encoding).toBe(encoding);
    expect(segments.parts).toHaveLength(count);
  });

  test('recognizes the whole alphabet', () => {
    for (const character of gsm + extended) expect(segmentsOf(character).encoding, character).toBe('GSM-7');
  });

  test('loses nothing, fills each part, and splits no character', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { encoding, parts } = segmentsOf(text);
        expect(parts.join('')).toBe(text);
        const [alone, ofSeveral] = largest[encoding];
        for (const [i, part] of parts.entries()) {
          expect(unitsOf(part, encoding)).toBeLessThanOrEqual(parts.length === 1 ? alone : ofSeveral);
          const [next = ''] = parts[i + 1] ?? '';
          // The first character of the next part did not fit, so it is not split.
          if (next) expect(unitsOf(part + next, encoding)).toBeGreaterThan(ofSeveral);
          if (next) expect(part.at(-1) + next).not.toMatch(/^[\ud800-\udbff][\udc00-\udfff]$/);
        }
        if (parts.length > 1) expect(unitsOf(text, encoding)).toBeGreaterThan(alone);
      }),
      { numRuns: 500 },
    );
  });

  test("counts like Twilio's own calculator", () => {
    const oneUnitEach = fc.string({
      unit: fc.constantFrom(...gsm, ...extended, 'я', '世'),
      maxLength: 1_000,
    });
    fc.assert(
      fc.property(fc.oneof(gsmText, oneUnitEach), (text) => {
        fc.pre(text !== '');
        const theirs = new SegmentedMessage(text);
        const { encoding, parts } = segmentsOf(text);
        expect([encoding, parts.length]).toEqual([theirs.encodingName, theirs.segmentsCount]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a text that is cut', () => {
  test.each<[string, string, number, string]>([
    ['with dots in GSM-7, one segment', 'a'.repeat(161), 1, `${'a'.repeat(157)}...`],
    ['with dots in GSM-7, two segments', 'a'.repeat(400), 2, `${'a'.repeat(303)}...`],
    ['with an ellipsis in UCS-2, one segment', 'я'.repeat(71), 1, `${'я'.repeat(69)}…`],
    ['before a surrogate pair', `${'я'.repeat(68)}${'📯'.repeat(5)}`, 1, `${'я'.repeat(68)}…`],
    ['before a character of two septets', `${'a'.repeat(156)}€€€€`, 1, `${'a'.repeat(156)}...`],
    ['not at all where it fits', 'a'.repeat(306), 2, 'a'.repeat(306)],
  ])('ends %s', (_, text, maxSegments, cut) => {
    expect(cutToSegments(text, maxSegments)).toBe(cut);
  });

  test('fits, starts with the original text, and ends with a mark', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 4 }), (text, maxSegments) => {
        const cut = cutToSegments(text, maxSegments);
        expect(segmentsOf(cut).parts.length).toBeLessThanOrEqual(maxSegments);
        if (cut === text) return;
        expect(segmentsOf(text).parts.length).toBeGreaterThan(maxSegments);
        expect(cut).toMatch(/(\.\.\.|…)$/);
        expect(text.startsWith(cut.replace(/(\.\.\.|…)$/, ''))).toBe(true);
        expect(cut).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])….?$/);
      }),
      { numRuns: 500 },
    );
  });
});
