import fc from 'fast-check';
import { expect, test } from 'vitest';
import { phoneNumber, shortened, withoutNumbers } from '../src/phone-numbers.js';

const digits = (min: number, max: number) =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min - 1, maxLength: max - 1 }),
    )
    .map(([first, rest]) => `+${first}${rest}`);

test('an E.164 number is + and 7 to 15 digits, the first not 0, and nothing else', () => {
  fc.assert(
    fc.property(digits(7, 15), (number) => {
      expect(number).toMatch(phoneNumber);
    }),
  );
  fc.assert(
    fc.property(digits(1, 6), (number) => {
      expect(number).not.toMatch(phoneNumber);
    }),
  );
  fc.assert(
    fc.property(digits(16, 100), (number) => {
      expect(number).not.toMatch(phoneNumber);
    }),
  );
  fc.assert(
    fc.property(digits(7, 15), fc.string({ minLength: 1, maxLength: 3 }), fc.nat(15), (number, more, at) => {
      fc.pre(!/^\d+$/.test(more));
      expect(number.slice(0, at) + more + number.slice(at)).not.toMatch(phoneNumber);
    }),
  );
});

test('a number is shortened in any grouping', () => {
  const separator = fc.constantFrom('', '', '', ' ', '-', '.', ') ', ' (', '/');
  const grouped = fc
    .tuple(digits(7, 15), fc.array(separator, { minLength: 16, maxLength: 16 }))
    .map(([number, separators]) => ({
      number,
      written: `+${[...number.slice(1)].map((digit, i) => (i ? separators[i] : '') + digit).join('')}`,
    }));
  fc.assert(
    fc.property(grouped, fc.string(), fc.string(), ({ number, written }, before, after) => {
      fc.pre(!/[\d\s()./-]/.test(before + after));
      const text = withoutNumbers(`${before}${written}${after}`, [number]);
      expect(text).toBe(`${before}+${shortened(number)}${after}`);
    }),
  );
});

test.each([
  '+4915112345678 200',
  '21610 4915112345678',
  '4915112345678-2026-11-23',
  '+49 (0) 151 123 456 78',
  '0151/12345678',
  '2345678',
])('a number among other digits is shortened with them: %s', (text) => {
  expect(withoutNumbers(`to: ${text}.`, ['+14155550123', '+4915112345678'])).toMatch(/^to: \+?…78\.$/);
});

test('other digits are unchanged', () => {
  const text =
    'Twilio 21610 at 2026-11-23T10:00:00.123Z for SM9876543210abcdef9876543210abcdef, +14155550123';
  expect(withoutNumbers(text, ['+4915112345678'])).toBe(text);
});

test('a long text is searched without delay', () => {
  const started = performance.now();
  withoutNumbers('1 '.repeat(100_000), ['+4915112345678']);
  withoutNumbers('1  '.repeat(100_000), ['+4915112345678']);
  withoutNumbers('123456x'.repeat(50_000), ['+4915112345678']);
  expect(performance.now() - started).toBeLessThan(5_000);
});
