import { isIP } from 'node:net';

/*
 * Decides which addresses belong to the public Internet. Each range in the tables names the document that defines it.
 * The checks read the bytes of an address, never its text. IPv6 is an allow list: an address that is not known to be
 * public is refused. That covers an IPv4 address embedded in any future IPv6 format.
 */

/** A block of addresses that share a prefix. */
export interface Range {
  /** CIDR notation (RFC 4632), e.g. `10.0.0.0/8`. */
  readonly cidr: string;
  /** What the block is used for. */
  readonly what: string;
  /** The document that defines the block. */
  readonly source: string;
}

/**
 * The IPv4 blocks that are not public; every other IPv4 address is. From the IANA IPv4 Special-Purpose Address
 * Registry, plus blocks that the registry does not list.
 */
export const refusedIPv4: readonly Range[] = [
  { cidr: '0.0.0.0/8', what: 'this network', source: 'RFC 791 §3.2' },
  { cidr: '10.0.0.0/8', what: 'a private network', source: 'RFC 1918' },
  { cidr: '100.64.0.0/10', what: 'shared address space', source: 'RFC 6598' },
  { cidr: '127.0.0.0/8', what: 'loopback', source: 'RFC 1122 §3.2.1.3' },
  {
    cidr: '168.63.129.16/32',
    what: "Azure's platform",
    source: 'Microsoft: What is IP address 168.63.129.16?',
  },
  { cidr: '169.254.0.0/16', what: 'link-local, including cloud metadata', source: 'RFC 3927' },
  { cidr: '172.16.0.0/12', what: 'a private network', source: 'RFC 1918' },
  { cidr: '192.0.0.0/24', what: 'IETF protocol assignments', source: 'RFC 6890 §2.1' },
  { cidr: '192.0.2.0/24', what: 'documentation', source: 'RFC 5737' },
  { cidr: '192.31.196.0/24', what: 'an AS112 sink', source: 'RFC 7535' },
  { cidr: '192.52.193.0/24', what: 'automatic multicast tunneling', source: 'RFC 7450' },
  { cidr: '192.88.99.0/24', what: '6to4 relays', source: 'RFC 7526' },
  { cidr: '192.168.0.0/16', what: 'a private network', source: 'RFC 1918' },
  { cidr: '192.175.48.0/24', what: 'an AS112 sink', source: 'RFC 7534' },
  { cidr: '198.18.0.0/15', what: 'benchmarking', source: 'RFC 2544' },
  { cidr: '198.51.100.0/24', what: 'documentation', source: 'RFC 5737' },
  { cidr: '203.0.113.0/24', what: 'documentation', source: 'RFC 5737' },
  { cidr: '224.0.0.0/4', what: 'multicast', source: 'RFC 5771' },
  { cidr: '240.0.0.0/4', what: 'reserved, including broadcast', source: 'RFC 1112 §4, RFC 919' },
];

/** The only IPv6 block that is public, except for `refusedIPv6`. */
export const publicIPv6: Range = { cidr: '2000::/3', what: 'global unicast', source: 'RFC 4291 §2.4, IANA' };

/** The blocks within `publicIPv6` that are not public. From the IANA IPv6 Special-Purpose Address Registry. */
export const refusedIPv6: readonly Range[] = [
  { cidr: '2001::/23', what: 'IETF protocol assignments, including Teredo', source: 'RFC 2928, RFC 4380' },
  { cidr: '2001:db8::/32', what: 'documentation', source: 'RFC 3849' },
  { cidr: '2002::/16', what: '6to4, which embeds an IPv4 address', source: 'RFC 3056' },
  { cidr: '2620:4f:8000::/48', what: 'an AS112 sink', source: 'RFC 7534' },
  { cidr: '3ffe::/16', what: 'the former 6bone', source: 'RFC 3701' },
  { cidr: '3fff::/20', what: 'documentation', source: 'RFC 9637' },
];

/** Values of bytes 8 to 11 of an IPv6 address that mean an IPv4 address follows (ISATAP, RFC 5214 §6.1). */
const isatap: readonly string[] = ['00005efe', '02005efe'];

const notPublicIPv6 = 'an address outside the global unicast range';

/**
 * Says why `address` is not public (`loopback`, `documentation`, …). Returns undefined for a public address. Text that
 * is not an address and an address with a zone are not public.
 */
export function whyNotPublic(address: string): string | undefined {
  const bytes = bytesOf(address);
  if (!bytes) return 'text that is not an address';
  if (bytes.length === 4) return refused4.find((block) => block.holds(bytes))?.what;
  if (!public6.holds(bytes)) return notPublicIPv6;
  if (isatap.includes(bytes.toString('hex', 8, 12))) return 'ISATAP, which embeds an IPv4 address';
  return refused6.find((block) => block.holds(bytes))?.what;
}

/** Parses an address into its 4 or 16 bytes. Returns undefined for other text and for an address with a zone. */
export function bytesOf(address: string): Buffer | undefined {
  const version = isIP(address);
  if (version === 4) return Buffer.from(address.split('.').map(Number));
  if (version === 0 || address.includes('%')) return undefined;
  return bytesOfIPv6(address);
}

const mapped = Buffer.from('00000000000000000000ffff', 'hex');

/**
 * Parses an address into the bytes that the system would dial: drops the zone, and unwraps an IPv4-mapped address to
 * its IPv4 address (RFC 4291 §2.5.5.2).
 */
export function dialledBytesOf(address: string): Buffer | undefined {
  const bytes = bytesOf(address.replace(/%.*$/s, ''));
  return bytes?.subarray(0, 12).equals(mapped) ? bytes.subarray(12) : bytes;
}

/** Expects text that `isIP` accepts as IPv6. */
function bytesOfIPv6(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const bytes = Buffer.alloc(16);
  before.forEach((group, i) => void bytes.writeUInt16BE(group, i * 2));
  after.forEach((group, i) => void bytes.writeUInt16BE(group, 16 - (after.length - i) * 2));
  return bytes;
}

/** Parses part of an IPv6 address into 16-bit groups. An IPv4 address at the end counts as two groups. */
function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/** A parsed CIDR block. */
export interface Block {
  /** Whether the address (as bytes) has the same family and the same prefix. */
  holds(address: Buffer): boolean;
}

/**
 * Parses a block like `10.0.0.0/8` or a single address. Returns undefined for other values and for a block with bits
 * set after its prefix.
 */
export function blockOf(cidr: unknown): Block | undefined {
  if (typeof cidr !== 'string') return undefined;
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(cidr) ?? [];
  const first = bytesOf(address);
  if (!first) return undefined;
  const prefix = bits === undefined ? first.length * 8 : Number(bits);
  if (prefix > first.length * 8) return undefined;
  const whole = prefix >> 3;
  const mask = (0xff00 >> (prefix & 7)) & 0xff;
  const beyond = first.subarray(whole);
  if (beyond.some((byte, i) => (i === 0 ? byte & ~mask : byte) !== 0)) return undefined;
  return {
    holds: (other) =>
      other.length === first.length &&
      first.compare(other, 0, whole, 0, whole) === 0 &&
      (mask === 0 || (other[whole]! & mask) === first[whole]),
  };
}

const read = (range: Range): Range & Block => ({ ...range, ...blockOf(range.cidr)! });
const refused4 = refusedIPv4.map(read);
const refused6 = refusedIPv6.map(read);
const public6 = read(publicIPv6);
