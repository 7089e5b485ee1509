import { isIP } from 'node:net';
import { domainInAscii } from '@posthorn/core/channel';

/*
 * Checks of host names that need no DNS. A host is the value of `new URL(…).hostname` without brackets: lower case,
 * names in ASCII, IPv4 addresses in dotted decimal form.
 */

/** Domains that never belong to a public host. They include all names below them. */
const reservedNames: readonly (readonly [suffix: string, source: string])[] = [
  ['localhost', 'RFC 6761 §6.3'],
  ['local', 'RFC 6762 §3'],
  ['internal', 'ICANN board resolution 2024.07.29.06'],
  ['home.arpa', 'RFC 8375 §3'],
  ['onion', 'RFC 7686 §2'],
];

/** Says why a name is refused, as the end of a sentence. Returns undefined for a name that may be resolved. */
export function whyNoPublicName(host: string): string | undefined {
  // A trailing dot does not change the name.
  const name = host.replace(/\.$/, '');
  if (name === '' || name.endsWith('.')) return 'must not end with two dots';
  const reserved = reservedNames.find(([suffix]) => name === suffix || name.endsWith(`.${suffix}`));
  if (reserved) return `must not be a name in ${reserved[0]} (${reserved[1]})`;
  // Search domains would turn a name without a dot into another name.
  return name.includes('.') ? undefined : 'must be a full host name, with a dot in it';
}

/** RFC 1035 §2.3.4. Some versions of Node accept longer names in URLs, others do not. */
const maxNameLength = 253;

/** Parses a host pattern: an exact name or address, or `*.` and a suffix. Returns undefined for anything else. */
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
  // A trailing dot does not change the host.
  const matches = (other: string): boolean => (below ? other.endsWith(`.${host}`) : other === host);
  return (other) => matches(other.endsWith('.') ? other.slice(0, -1) : other);
}

/** Removes the brackets of an IPv6 address. */
function withoutBrackets(text: string): string {
  const inner = text.slice(1, -1);
  return text === `[${inner}]` && isIP(inner) === 6 ? inner : text;
}

/** Normalizes an address to its form in URLs. */
function hostOf(text: string): string | undefined {
  return URL.canParse(`http://${text}/`)
    ? new URL(`http://${text}/`).hostname.replace(/^\[|\]$/g, '')
    : undefined;
}
