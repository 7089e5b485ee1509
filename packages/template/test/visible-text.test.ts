import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutText, visibleLine, visibleText } from '../src/index.js';

const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));

test('visible text has no invisible characters, keeps line breaks, and is not changed by a second call', () => {
  expect(visibleText('a\u202eb\0c\td\r\ne\u007f\u2069')).toBe('a\\u202eb\\u0000c\td\r\ne\\u007f\\u2069');
  fc.assert(
    fc.property(anything, (text) => {
      const visible = visibleText(text);
      expect(visible).not.toMatch(/[\u202a-\u202e\u2066-\u2069]|(?![\t\n\r])\p{Cc}|\p{Cs}/u);
      expect(visibleText(visible)).toBe(visible);
    }),
  );
});

test('JSON made visible parses to the same value', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
      expect(JSON.parse(visibleText(json))).toEqual(JSON.parse(json));
    }),
  );
});

test('a visible line is one line', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(visibleLine(text)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    }),
  );
});

test('cut text keeps whole characters and ends with a mark', () => {
  expect([cutText('abc', 3), cutText('abcd', 3), cutText('a😀b', 3)]).toEqual(['abc', 'ab…', 'a…']);
});
