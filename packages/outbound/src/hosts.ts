import { isIP } from 'node:net';
import { domainInAscii } from '@posthorn/core';

/*
 * Host names and ports that are refused before anybody is asked where they lead. A host is what `new URL(…).hostname`
 * holds, without brackets: lower case, names in ASCII, IPv4 addresses in their one dotted form.
 */

/** Names, and all names below them, that never belong to a public host. */
const reservedNames: readonly (readonly [suffix: string, source: string])[] = [
  ['localhost', 'RFC 6761 §6.3'],
  ['local', 'RFC 6762 §3'],
  ['internal', 'ICANN board resolution 2024.07.29.06'],
  ['home.arpa', 'RFC 8375 §3'],
  ['onion', 'RFC 7686 §2'],
];

/**
 * Ports of services that could be made to take a request for something else: browsers refuse the same ones
 * (WHATWG Fetch §2.9, "Port blocking").
 */
const badPorts: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/** Why a name is refused, for the end of a sentence; undefined where it may be looked up. */
export function whyNoPublicName(host: string): string | undefined {
  // Fully qualified or not, a name would be two to every list and cache.
  if (host.endsWith('.')) return 'must not end with a dot';
  const reserved = reservedNames.find(([suffix]) => host === suffix || host.endsWith(`.${suffix}`));
  if (reserved) return `must not be a name of ${reserved[0]} (${reserved[1]})`;
  // Search domains would make another name of it.
  return host.includes('.') ? undefined : 'must be a full host name, with a dot in it';
}

export function isBadPort(port: number): boolean {
  return badPorts.has(port);
}

/** Reads a pattern for hosts: a name or an address, exact, or `*.` and a suffix; undefined where it is none. */
export function hostPattern(pattern: unknown): ((host: string) => boolean) | undefined {
  if (typeof pattern !== 'string') return undefined;
  const below = pattern.startsWith('*.');
  const name = below ? pattern.slice(2) : pattern.replace(/^\[(.*)\]$/, '$1');
  if (isIP(name) !== 0) {
    const address = hostOf(isIP(name) === 6 ? `[${name}]` : name);
    return below || address === undefined ? undefined : (host) => host === address;
  }
  const host = domainInAscii(name) ?? '';
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host) || isIP(host) !== 0) return undefined;
  // A dot at the end of the host makes no other host of it.
  const matches = (other: string): boolean => (below ? other.endsWith(`.${host}`) : other === host);
  return (other) => matches(other.endsWith('.') ? other.slice(0, -1) : other);
}

/** The one form of an address, as URLs write it. */
function hostOf(text: string): string | undefined {
  return URL.canParse(`http://${text}/`)
    ? new URL(`http://${text}/`).hostname.replace(/^\[|\]$/g, '')
    : undefined;
}
