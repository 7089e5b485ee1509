import { expect, test } from 'vitest';
import { memoryStorage } from '../src/index.js';

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_option', message: expect.stringMatching(message) });

/** As JavaScript calls it. */
const open = memoryStorage as (options?: unknown) => ReturnType<typeof memoryStorage>;

test.each([0, -1, 1.5, Number.NaN, '1', null])('a cap of %s is refused', (maxBytes) => {
  expect(() => open({ maxBytes })).toThrow(invalid(/^maxBytes/));
});

test('options that are no object, an unknown one, and a clock that is none are refused by name', () => {
  expect(() => open(null)).toThrow(invalid(/options.*null/));
  expect(() => open(1)).toThrow(invalid(/options.*number/));
  expect(() => open({ maxbytes: 1 })).toThrow(invalid(/maxbytes.*maxBytes/));
  expect(() => open({ now: new Date() })).toThrow(invalid(/^now/));
});
