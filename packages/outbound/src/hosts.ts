import { isIP } from 'node:net';
import { domainInAscii } from '@posthorn/core';

/*
 * Host names that are refused before anybody is asked where they lead. A host is what `new URL(…).hostname`
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

/** Why a name is refused, for the end of a sentence; undefined where it may be looked up. */
export function whyNoPublicName(host: string): string | undefined {
  // Fully qualified or not, it is the same name.
  const name = host.replace(/\.$/, '');
  if (name === '' || name.endsWith('.')) return 'must not end with two dots';
  const reserved = reservedNames.find(([suffix]) => name === suffix || name.endsWith(`.${suffix}`));
  if (reserved) return `must not be a name of ${reserved[0]} (${reserved[1]})`;
  // Search domains would make another name of it.
  return name.includes('.') ? undefined : 'must be a full host name, with a dot in it';
}

/** RFC 1035 §2.3.4. Some versions of Node have URLs of longer names, and others none. */
const maxNameLength = 253;

/** Reads a pattern for hosts: a name or an address, exact, or `*.` and a suffix; undefined where it is none. */
export function hostPattern(pattern: unknown): ((host: string) => boolean) | undefined {
  if (typeof pattern !== 'string') return undefined;
  const below = pattern.startsWith('*.');
  const name = below ? pattern.slice(2) : withoutBrackets(pattern);
  if (isIP(name) !== 0) {
    const address = hostOf(isIP(name) === 6 ? `[${name}]` : name);
    return below || address === undefined ? undefined : (host) => host === address;
  }
  const host = domainInAscii(name) ?? '';
  if (host.length > maxNameLength) return undefined;
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host) || isIP(host) !== 0) return undefined;
  // A dot at the end of the host makes no other host of it.
  const matches = (other: string): boolean => (below ? other.endsWith(`.${host}`) : other === host);
  return (other) => matches(other.endsWith('.') ? other.slice(0, -1) : other);
}

/** Those of IPv6; nothing else has any. */
function withoutBrackets(text: string): string {
  const inner = text.slice(1, -1);
  return text === `[${inner}]` && isIP(inner) === 6 ? inner : text;
}

/** The one form of an address, as URLs write it. */
function hostOf(text: string): string | undefined {
  return URL.canParse(`http://${text}/`)
    ? new URL(`http://${text}/`).hostname.replace(/^\[|\]$/g, '')
    : undefined;
}
