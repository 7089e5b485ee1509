import { describe, expect, test } from 'vitest';
import {
  everything,
  mapSecrets,
  type SecretPath,
  secretNumbers,
  secretTexts,
} from '../../src/channels/secret-paths.js';

const configs = {
  url: 'u',
  headers: { a: 'one', b: 'two' },
  to: [{ name: 'n', token: 'three' }, { token: 'four' }],
  timeout: 5,
  none: null,
};

describe('the secret texts', () => {
  test.each<[SecretPath[], string[]]>([
    [[], []],
    [[['url']], ['u']],
    [[['headers']], ['one', 'two']],
    [[['headers', '*']], ['one', 'two']],
    [[['headers', 'a']], ['one']],
    [[['to', '*', 'token']], ['three', 'four']],
    [[['to', '1', 'token']], ['four']],
    [
      [['url'], ['to']],
      ['u', 'n', 'three', 'four'],
    ],
    [[['timeout'], ['none'], ['nothing', 'here']], []],
    [[...everything], ['u', 'one', 'two', 'n', 'three', 'four']],
  ])('at %j are %j', (paths, texts) => {
    expect(secretTexts(configs, paths)).toEqual(texts);
  });

  test.each([undefined, null, 5, []])('of %j are none', (value) => {
    expect(secretTexts(value, everything)).toEqual([]);
  });
});

test('the path of a secret that is a number is reported, and the number is never changed', () => {
  expect(secretNumbers(configs, [['timeout'], ['headers'], ['to', '*', 'n']])).toEqual([['timeout']]);
  expect(mapSecrets(configs, [['timeout']], () => '***')).toEqual(configs);
});

test('mapping the secrets keeps the rest and the original unchanged, and passes the path of each', () => {
  const before = structuredClone(configs);
  const seen: (readonly string[])[] = [];
  const changed = mapSecrets(configs, [['to', '*', 'token']], (text, at) => {
    seen.push(at);
    return text.toUpperCase();
  });
  expect(changed).toEqual({ ...before, to: [{ name: 'n', token: 'THREE' }, { token: 'FOUR' }] });
  expect(configs).toEqual(before);
  expect(seen).toEqual([
    ['to', '0', 'token'],
    ['to', '1', 'token'],
  ]);
});

test('a field called __proto__ stays a field', () => {
  const evil = JSON.parse('{"headers":{"__proto__":"s3cret"}}');
  const masked = mapSecrets(evil, [['headers']], () => '***');
  expect(JSON.stringify(masked)).toBe('{"headers":{"__proto__":"***"}}');
});
