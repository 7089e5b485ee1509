import { domainInAscii } from '@posthorn/core';

/** An address as it goes over the wire, its domain in ASCII and lower case; or what is wrong with the text. */
export type ParsedAddress =
  | { readonly address: string; readonly fault?: never }
  | { readonly fault: string; readonly address?: never };

/** The longest path that a server must take, without its angle brackets (RFC 5321 §4.5.3.1.3). */
const maxAddress = 254;
const maxLocal = 64;

/**
 * The dot-atom of RFC 5322 §3.2.3 without `%`: neither source routes (`a%b@c`) nor percent-encoded line breaks. What
 * else that standard allows before the @, quotes and comments, is what addresses are forged with.
 */
const local = /^[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+)*$/;

/** Letters, marks and digits of any script, dots and hyphens: domains of URLs are far more than that. */
const domainText = /^[\p{L}\p{M}\p{N}.-]+$/u;

/** Two labels or more (RFC 1123 §2.1), the last one not of digits: an IP address is no mail domain. */
const domainAscii =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Reads one mailbox, `name@example.com`, and nothing else; its length is judged before anything is parsed. */
export function parseAddress(text: string): ParsedAddress {
  if (text.length > maxAddress) return { fault: `must have at most ${maxAddress} characters` };
  const at = text.lastIndexOf('@');
  const name = text.slice(0, Math.max(at, 0));
  const domain = text.slice(at + 1);
  if (at < 1 || !local.test(name) || !domainText.test(domain)) {
    return { fault: 'must be one mailbox like name@example.com, without display name, quotes or comments' };
  }
  if (name.length > maxLocal) return { fault: `must have at most ${maxLocal} characters before the @` };
  const ascii = domainInAscii(domain) ?? '';
  if (!domainAscii.test(ascii)) return { fault: 'must end with a domain like example.com' };
  const address = `${name}@${ascii}`;
  return address.length > maxAddress
    ? { fault: `must have at most ${maxAddress} characters, its domain written in ASCII` }
    : { address };
}
