import { describe, expect, test } from 'vitest';
import { derivedSecrets } from '../src/derived-secrets.js';

const url = 'https://example.com/hook';
const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;

describe('secrets besides whole header values are found', () => {
  test.each<[Record<string, string>, string, string[]]>([
    [{ 'x-key': 'abcdefgh' }, url, []],
    [{ authorization: 'Bearer t0ken-t0ken' }, url, ['t0ken-t0ken']],
    [{ authorization: 'Bearer t0ken-t0ken==' }, url, ['t0ken-t0ken==']],
    [{ authorization: 'Bearer short' }, url, []],
    [{ 'x-auth': 'key="one-one-one",sig="two-two-two"' }, url, ['one-one-one', 'two-two-two']],
    [{ 'x-auth': 'token=one-one-one;sig=two-two-two' }, url, ['one-one-one', 'two-two-two']],
    [{ authorization: basic('ada:pass:word') }, url, ['ada:pass:word', 'pass:word', 'YWRhOnBhc3M6d29yZA==']],
    [
      {},
      'https://example.com/services/T0/B0/secret-secret-secret',
      ['/services/T0/B0/secret-secret-secret', 'secret-secret-secret'],
    ],
    [
      {},
      'https://example.com/hook?v=1&token=s3cret-s3cret#not-sent',
      ['/hook?v=1&token=s3cret-s3cret', 's3cret-s3cret'],
    ],
    [{}, 'https://example.com/a?t=12345678', ['12345678']],
    [{}, 'https://example.com/nineteen-characte', []],
    [{}, 'not an address', []],
  ])('in %j and %s', (headers, address, secrets) => {
    expect(derivedSecrets(headers, address)).toEqual(secrets);
  });
});

test('secrets are unique and at most 64, those of the headers first', () => {
  const many = Array.from({ length: 100 }, (_, i) => `s3cret-${i % 70}-s3cret`);
  const secrets = derivedSecrets({ 'x-many': `of ${many.join(' ')}` }, 'https://example.com/hook?t=12345678');
  expect(secrets).toEqual(many.slice(0, 64));
});
