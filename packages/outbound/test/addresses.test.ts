import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  blockOf,
  bytesOf,
  publicIPv6,
  type Range,
  refusedIPv4,
  refusedIPv6,
  whyNotPublic,
} from '../src/addresses.js';

const numberOf = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);

/** Writes a number as an address with the URL parser, independently of the code under test. */
function addressOf(value: bigint, bytes: number): string {
  const hex = value.toString(16).padStart(bytes * 2, '0');
  const text = bytes === 4 ? `0x${hex}` : `[${hex.match(/.{4}/g)!.join(':')}]`;
  return new URL(`http://${text}/`).hostname.replace(/^\[|\]$/g, '');
}

interface Edges {
  readonly bytes: number;
  readonly first: bigint;
  readonly last: bigint;
}

function edgesOf({ cidr }: Range): Edges {
  const [address = '', prefix] = cidr.split('/');
  const bytes = bytesOf(address)!;
  const first = numberOf(bytes);
  return { bytes: bytes.length, first, last: first + (1n << BigInt(bytes.length * 8 - Number(prefix))) - 1n };
}

const isPublic = (address: string): boolean => whyNotPublic(address) === undefined;
const v4 = refusedIPv4.map(edgesOf);
const v6 = refusedIPv6.map(edgesOf);
const global = edgesOf(publicIPv6);

const inside = (ranges: readonly Edges[], value: bigint): boolean =>
  ranges.some(({ first, last }) => value >= first && value <= last);

const isIsatap = (value: bigint): boolean => [0x5efen, 0x2005efen].includes((value >> 32n) & 0xffffffffn);

describe('every refused range', () => {
  test.each(refusedIPv4)('$cidr refuses its first and last address and not their neighbours', (range) => {
    const { first, last } = edgesOf(range);
    expect(whyNotPublic(addressOf(first, 4))).toBe(range.what);
    expect(whyNotPublic(addressOf(last, 4))).toBe(range.what);
    for (const neighbour of [first - 1n, last + 1n]) {
      if (neighbour < 0n || neighbour > 0xffffffffn) continue;
      expect(isPublic(addressOf(neighbour, 4))).toBe(!inside(v4, neighbour));
    }
  });

  test.each(refusedIPv6)('$cidr refuses its first and last address and not their neighbours', (range) => {
    const { first, last } = edgesOf(range);
    expect(whyNotPublic(addressOf(first, 16))).toBe(range.what);
    expect(whyNotPublic(addressOf(last, 16))).toBe(range.what);
    for (const neighbour of [first - 1n, last + 1n]) {
      const expected = inside([global], neighbour) && !inside(v6, neighbour);
      expect(isPublic(addressOf(neighbour, 16))).toBe(expected);
    }
  });

  test('names its source and occurs once', () => {
    const all = [...refusedIPv4, ...refusedIPv6, publicIPv6];
    expect(all.every(({ what, source }) => what.length > 0 && source.length > 0)).toBe(true);
    expect(new Set(all.map(({ cidr }) => cidr)).size).toBe(all.length);
  });
});

test('only 2000::/3 of IPv6 is public', () => {
  expect(isPublic(addressOf(global.first, 16))).toBe(true);
  expect(isPublic(addressOf(global.first - 1n, 16))).toBe(false);
  expect(isPublic(addressOf(global.last, 16))).toBe(true);
  expect(isPublic(addressOf(global.last + 1n, 16))).toBe(false);
});

const anyV4 = fc.nat(0xffffffff).map(BigInt);
const anyV6 = fc.bigInt(0n, (1n << 128n) - 1n);

test('an IPv4 address outside every refused range is public', () => {
  fc.assert(
    fc.property(anyV4, (value) => {
      expect(isPublic(addressOf(value, 4))).toBe(!inside(v4, value));
    }),
  );
});

test('an IPv6 address is public if it is in the allow list and in no refused range', () => {
  fc.assert(
    fc.property(fc.oneof(anyV6, fc.bigInt(global.first, global.last)), (value) => {
      const expected = inside([global], value) && !inside(v6, value) && !isIsatap(value);
      expect(isPublic(addressOf(value, 16))).toBe(expected);
    }),
  );
});

test('an IPv6 address that embeds an IPv4 address is not public', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const hex = bytesOf(address)!.toString('hex');
      const [high, low] = [hex.slice(0, 4), hex.slice(4)];
      const wrapped = [
        `::ffff:${address}`, // IPv4-mapped, RFC 4291 §2.5.5.2
        `::${address}`, // IPv4-compatible, RFC 4291 §2.5.5.1
        `::ffff:0:${address}`, // IPv4-translated, RFC 2765
        `64:ff9b::${address}`, // NAT64, RFC 6052
        `64:ff9b:1::${address}`, // local-use NAT64, RFC 8215
        `2002:${high}:${low}::1`, // 6to4, RFC 3056
        `2001:0:${high}:${low}::1`, // Teredo, RFC 4380: the server
        `2001::${high}:${low}`, // Teredo: the client
        `2a00:1450::5efe:${high}:${low}`, // ISATAP, RFC 5214
        `2a00:1450::200:5efe:${high}:${low}`,
        `fe80::5efe:${address}`,
        `5f00::${address}`, // SRv6 SIDs, RFC 9602
      ];
      for (const text of wrapped) expect([text, isPublic(text)]).toEqual([text, false]);
    }),
  );
});

test.each([
  '',
  'example.com',
  '1.2.3',
  '1.2.3.4 ',
  '01.2.3.4',
  '1.2.3.256',
  '[2a00::1]',
  '2a00::1%eth0',
  'fe80::1%1',
  ':::',
])('%j is not a public address', (text) => {
  expect(whyNotPublic(text)).toBe('text that is not an address');
});

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '192.0.1.1',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700:4700::1111',
  '2a00:1450:4001:812::200e',
])('%s is public', (text) => {
  expect(isPublic(text)).toBe(true);
});

test('an address is parsed as the URL parser parses it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const url = new URL(`http://${text.includes(':') ? `[${text}]` : text}/`);
      const host = url.hostname.replace(/^\[|\]$/g, '');
      expect(bytesOf(text)).toEqual(bytesOf(host));
      expect(addressOf(numberOf(bytesOf(text)!), text.includes(':') ? 16 : 4)).toBe(host);
    }),
  );
});

describe('a range', () => {
  test.each([
    '10.0.0.0/8',
    '10.1.2.3',
    '10.1.2.3/32',
    '0.0.0.0/0',
    '128.0.0.0/1',
    '::/0',
    'fd00::/8',
    '2001:db8::1',
  ])('accepts %s', (cidr) => {
    expect(blockOf(cidr)).toBeDefined();
  });

  test.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fd00::1/8',
    '::/129',
    'example.com',
    '',
    '10.0.0/8',
  ])('refuses %j', (cidr) => {
    expect(blockOf(cidr)).toBeUndefined();
  });

  test('contains the addresses with the same prefix', () => {
    fc.assert(
      fc.property(fc.nat(32), anyV4, anyV4, (prefix, one, other) => {
        const bits = BigInt(32 - prefix);
        const block = blockOf(`${addressOf((one >> bits) << bits, 4)}/${prefix}`)!;
        expect(block.holds(bytesOf(addressOf(other, 4))!)).toBe(one >> bits === other >> bits);
        expect(block.holds(Buffer.alloc(16))).toBe(false);
      }),
    );
  });
});
