import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutText, visibleLine, visibleText } from '../src/index.js';

const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));

test('visible text holds nothing that cannot be seen, keeps line breaks, and is not changed again', () => {
  expect(visibleText('a\u202eb\0c\td\r\ne\u007f\u2069')).toBe('a\\u202eb\\u0000c\td\r\ne\\u007f\\u2069');
  fc.assert(
    fc.property(anything, (text) => {
      const visible = visibleText(text);
      expect(visible).not.toMatch(/[\u202a-\u202e\u2066-\u2069]|(?![\t\n\r])\p{Cc}|\p{Cs}/u);
      expect(visibleText(visible)).toBe(visible);
    }),
  );
});

test('JSON that is made visible says the same', () => {
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

test('what is cut keeps whole characters, and says that it was cut', () => {
  expect([cutText('abc', 3), cutText('abcd', 3), cutText('a😀b', 3)]).toEqual(['abc', 'ab…', 'a…']);
});
