import { domainInAscii } from '@posthorn/core/channel';
import fc from 'fast-check';
import { expect, test } from 'vitest';

test.each([
  ['Example.COM', 'example.com'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
  ['faß.example', 'xn--fa-hia.example'],
  ['οδος.example', 'xn--pxavbm.example'],
  ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
  ['موقع.وزارة-الاتصالات.مصر', 'xn--4gbrim.xn----ymcbaaajlc6dj7bxne2c.xn--wgbh1c'],
  ['xn--ls8h.example', 'xn--ls8h.example'],
  ['ex%41mple.com', 'example.com'],
  ['127.0.0.1', '127.0.0.1'],
  ['[::1]', '[::1]'],
])('the domain %s is %s in ASCII, on every Node', (text, ascii) => {
  expect(domainInAscii(text)).toBe(ascii);
});

test.each([
  '',
  'a b.example',
  'a@b.example',
  'example.com:80',
  // Punycode of nothing, of invalid text, of ASCII, and of characters that cannot be encoded.
  'xn--.example',
  'xn--0.example',
  'xn--a.example',
  'XN--A.example',
  'a.xn--zzzzzz99999',
  'xn--a-.example',
  'xn--u-ccb.example',
  'xn--x.xn--mgba3a.example',
  // Read as `ss` or as `ß`.
  'groẞ.example',
  'gro%E1%BA%9E.example',
])('%j is not a domain, on any Node', (text) => {
  expect(domainInAscii(text)).toBeUndefined();
});

test('an ASCII domain is kept as it is, in lower case', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'abxn-.ßüÜ例😀א１%41'), maxLength: 16 });
  fc.assert(
    fc.property(fc.oneof(letters, fc.string()), (text) => {
      const ascii = domainInAscii(text);
      if (ascii === undefined) return;
      expect(domainInAscii(ascii)).toBe(ascii);
      expect(domainInAscii(ascii.toUpperCase())).toBe(ascii);
    }),
    { numRuns: 2_000 },
  );
});
