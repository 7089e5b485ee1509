import { describe, expect, test } from 'vitest';
import { derivedSecrets } from '../src/derived-secrets.js';

const url = 'https://example.com/hook';

describe('what is secret besides whole values', () => {
  test.each<[Record<string, string>, string, string[]]>([
    [{ 'x-key': 'abc' }, url, []],
    [{ authorization: 'Bearer t0ken' }, url, ['t0ken']],
    [{ 'x-auth': 'key="one",sig="two"' }, url, ['one', 'two']],
    [{}, 'https://example.com/services/T0/B0/secret', ['/services/T0/B0/secret']],
    [{}, 'https://example.com/hook?token=s3cret-s3cret#not-sent', ['/hook?token=s3cret-s3cret']],
    [{}, 'https://example.com/nineteen-characte', []],
    [{}, 'not an address', []],
  ])('of %j and %s', (headers, address, secrets) => {
    expect(derivedSecrets(headers, address)).toEqual(secrets);
  });
});
