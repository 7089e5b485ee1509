import { cpuMs } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { redact } from '../../src/secrets/redact.js';

describe('a text is kept as it is', () => {
  test.each(['', 'ok', 'fine: s3cret-token'])('%j, where it contains no secret', (text) => {
    expect(redact(text, ['s3cret', 'another-secret'])).toBe(text);
  });
});

describe('a secret is masked', () => {
  test.each<[string, string[], string, string]>([
    ['wherever it occurs', ['s3cret-token'], 's3cret-token, s3cret-token!', '***, ***!'],
    [
      'in one piece where it starts like another one',
      ['12345678', '12345678-rest'],
      'a 12345678-rest b',
      'a *** b',
    ],
    ['as JSON writes it', ['a"quoted"\\one'], '{"got":"a\\"quoted\\"\\\\one"}', '{"got":"***"}'],
    ['as JSON with escaped slashes writes it', ['/services/T0/B0'], '"\\/services\\/T0\\/B0"', '"***"'],
    ['where the text is truncated within it', ['whsec_12345678'], 'got whsec_1234', 'got ***'],
    ['where the text is truncated after eight characters of it', ['12345678abc'], 'got 12345678', 'got ***'],
    ['where it begins twice before the end', ['aaaaaaaaaaaab'], 'got aaaaaaaaaa', 'got ***'],
    [
      'where the text is truncated within a longer secret',
      ['k="12345678",s="87654321"', '12345678'],
      'k="12345678",s="8',
      '***',
    ],
    [
      'where its end is the beginning of another one',
      ['xxxx12345678', '123456789'],
      'got xxxx12345678',
      'got ***',
    ],
    ['as URLs write it', ['a/b+c=d?e&f'], 'q=a%2Fb%2bc%3Dd%3Fe&f;', 'q=***;'],
    ['as HTML writes it', ['<a&b>"c\'d"'], '<p>&lt;a&amp;b&gt;&quot;c&#39;d&#x22;</p>', '<p>***</p>'],
    [
      'as JSON made safe for HTML writes it',
      ['/hook?a=<1>&b=2'],
      '"/hook?a=\\u003c1\\u003E\\u0026b\\u003D2"',
      '"***"',
    ],
    ['with escapes of its own', ['/a%2Fb%20c?d'], '"/a%2Fb%20c?d" "\\/a%2Fb%20c?d"', '"***" "***"'],
    ['with escapes of its own, in JSON', ['\\n%41"1234'], '{"got":"\\\\n%41\\"1234"}', '{"got":"***"}'],
    ['where the text before it forms an escape with its beginning', ['41-s3cret'], '%41-s3cret', '%***'],
    [
      'where the text is truncated within an escape in it',
      ['a/b/c/d/e"f'],
      'got a\\/b\\/c\\/d\\/e\\u00',
      'got ***',
    ],
    ['where the text is nothing else', ['s3cret-token'], 's3cret-token', '***'],
  ])('%s', (_, secrets, text, redacted) => {
    expect(redact(text, secrets)).toBe(redacted);
    expect(redact(text, [...secrets].reverse())).toBe(redacted);
  });

  test('in linear time, even where the tenant and the receiver choose the worst case', async () => {
    const secrets = Array.from({ length: 60 }, (_, i) => `x ${'a'.repeat(400 + i)}/"b`);
    const texts = [`${'a'.repeat(16_383)}c`, '\\'.repeat(16_384), 'a%61&#97;'.repeat(1_820)];
    const all = [...secrets, ...secrets.map((secret) => secret.slice(2))];
    const times: number[] = [];
    for (let i = 0; i < 3; i++) times.push(await cpuMs(() => texts.map((text) => redact(text, all))));
    expect(Math.min(...times)).toBeLessThan(100);
  });

  test('by masking the whole text where the secrets exceed 64 Ki characters', () => {
    const secrets = Array.from({ length: 5 }, (_, i) => `${i}${'x'.repeat(16_000)}`);
    expect(redact('nothing secret', secrets)).toBe('***');
    expect(redact('nothing secret', [...secrets.slice(1), secrets[1]!])).toBe('nothing secret');
  });

  test('unless fewer than eight characters of it are left', () => {
    expect(redact('got whsec_1', ['whsec_12345678'])).toBe('got whsec_1');
  });
});
