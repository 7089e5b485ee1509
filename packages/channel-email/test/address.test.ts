import { cpuMs } from '@posthorn/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../src/address.js';

test.each([
  ['ada@example.com', 'ada@example.com'],
  ['Ada.Lovelace+x@EXAMPLE.com', 'Ada.Lovelace+x@example.com'],
  ["o'hara@sub.example.co.uk", "o'hara@sub.example.co.uk"],
  ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
  ['ada@例え.テスト', 'ada@xn--r8jz45g.xn--zckzah'],
  ['ada@xn--bcher-kva.example', 'ada@xn--bcher-kva.example'],
  [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
])('accepts %s, with its domain in ASCII', (text, address) => {
  expect(parseAddress(text)).toEqual({ address });
});

const refused: Record<string, readonly string[]> = {
  'T13: more than one mailbox': [
    'a@example.com, b@evil.example',
    'a@example.com,b@evil.example',
    'a@example.com;b@evil.example',
    'a@example.com b@evil.example',
    'a@example.com\tb@evil.example',
  ],
  'T14: quoted local parts, which hide addresses': [
    '"x@evil.example y"@good.example',
    '"x"@good.example',
    '"a b"@good.example',
    'x@evil.example@good.example',
    'x\\@evil.example@good.example',
  ],
  'T15: line breaks, angle brackets, percent signs, IP literals': [
    'a@example.com\r\nRCPT TO:<x@y>',
    'a@example.com\n',
    '\na@example.com',
    'a\r@example.com',
    'a\0@example.com',
    '<a@b>',
    '<a@example.com>',
    'a@b%0d%0aBcc:c@d',
    'a%0d%0aBcc:c@example.com',
    'user%evil.example@example.com',
    'a@example%2ecom',
    'postmaster@[127.0.0.1]',
    'postmaster@[IPv6:::1]',
    'postmaster@127.0.0.1',
    'postmaster@2130706433',
    'postmaster@0x7f.1',
  ],
  'display names, comments and groups': [
    'Ada <ada@example.com>',
    'ada@example.com (Ada)',
    'ada(comment)@example.com',
    'friends: a@example.com, b@example.com;',
    'undisclosed-recipients:;',
  ],
  'what is no address': [
    '',
    '@',
    'ada',
    'ada@',
    '@example.com',
    'ada@example',
    'ada@.example.com',
    'ada@example..com',
    'ada@example.com.',
    '.ada@example.com',
    'ada.@example.com',
    'a..b@example.com',
    'ada@-example.com',
    'ada@example-.com',
    'ada@exa_mple.com',
    'ada@example.com/x',
    'ada@example.com:25',
    'ada@example.com#x',
    'ada@xn--a.example',
    'ada@xn--a-.example',
    'ada@groẞ.example',
    'ada@example.com\u202e',
    'ad\u200ba@example.com',
    'ada＠example.com',
    'ädä@example.com',
    ` ada@example.com`,
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a'.repeat(64)}.com`,
  ],
};

for (const [title, texts] of Object.entries(refused)) {
  describe(`refuses ${title}`, () => {
    test.each(texts)('%j', (text) => {
      expect(parseAddress(text)).toEqual({ fault: expect.any(String) });
    });
  });
}

test('T16: refuses nested groups and 100 kB by length, without delay', async () => {
  const long = ['g:'.repeat(5_000), `${'a'.repeat(100_000)}@example.com`, `a@${'ü.'.repeat(50_000)}com`];
  const refusesAll = () => {
    for (const text of long)
      expect(parseAddress(text)).toEqual({ fault: 'must have at most 254 characters' });
  };
  expect(await cpuMs(refusesAll)).toBeLessThan(50);
});

test('refuses an address that is too long once its domain is in ASCII', () => {
  expect(parseAddress(`ada@${'bücher.'.repeat(34)}de`)).toEqual({ fault: expect.stringContaining('ASCII') });
});

test('an accepted address is one ASCII word that needs no quotes, and is accepted again unchanged', () => {
  const part = fc.string({ unit: fc.constantFrom(...'ab.@"<>()[]:;,\\% \r\n\0-üＡ。＠'), maxLength: 12 });
  const anything = fc.tuple(part, part).map(([name, domain]) => `${name}@${domain}.com`);
  fc.assert(
    fc.property(fc.oneof(anything, fc.emailAddress(), fc.string()), (text) => {
      const { address } = parseAddress(text);
      if (address === undefined) return;
      expect(address).toMatch(/^[!-~]+$/);
      expect(address).not.toMatch(/["<>()[\]:;,\\%]/);
      expect(address.split('@')).toHaveLength(2);
      expect(parseAddress(address)).toEqual({ address });
    }),
    { numRuns: 2_000 },
  );
});
