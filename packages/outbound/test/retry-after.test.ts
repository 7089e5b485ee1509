import { describe, expect, test } from 'vitest';
import { retryAfterMs } from '../src/index.js';

describe('Retry-After', () => {
  const now = Date.parse('Mon, 23 Nov 2026 10:00:00 GMT');
  test.each<[string | string[] | undefined, number | undefined]>([
    ['3', 3_000],
    ['0', 0],
    ['120.6', 120_600],
    ['999999999', 999_999_999_000],
    ['Mon, 23 Nov 2026 10:01:30 GMT', 90_000],
    ['Monday, 23-Nov-26 10:01:30 GMT', 90_000],
    ['Mon Nov 23 10:01:30 2026', 90_000],
    ['Tue Dec  1 10:00:00 2026', 8 * 86_400_000],
    ['Wednesday, 23-Nov-77 10:00:00 GMT', 0],
    [
      'Monday, 23-Nov-76 10:00:00 GMT',
      Date.parse('2076-11-23T10:00:00Z') - Date.parse('2026-11-23T10:00:00Z'),
    ],
    ['Mon, 23 Nov 2026 10:01:30', undefined],
    ['Mon, 23 Nov 2026 10:01:30 +0100', undefined],
    ['Mon, 23 Nov 2026 (a comment) 10:01:30 GMT', undefined],
    ['Mon, 30 Feb 2027 10:01:30 GMT', undefined],
    ['Mon, 23 Nov 2026 25:01:30 GMT', undefined],
    ['Monday, 23 Nov 2026 10:01:30 GMT', undefined],
    ['Mon, 23 nov 2026 10:01:30 GMT', undefined],
    ['Mon Nov 23 10:01:30 2026 GMT', undefined],
    ['2026-11-23T10:01:30Z', undefined],
    ['Mon, 23 Nov 2020 10:00:00 GMT', 0],
    ['Mon, 99 Foo 2026 10:00:00 GMT', undefined],
    ['-5', undefined],
    ['+5', undefined],
    ['abc', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['1e309', undefined],
    ['9'.repeat(400), undefined],
    ['0x10', undefined],
    ['5s', undefined],
    ['', undefined],
    [['3', '4'], undefined],
    [undefined, undefined],
  ])('%j is %s', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});
