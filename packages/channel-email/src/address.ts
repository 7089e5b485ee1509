import { domainInAscii } from '@posthorn/core/channel';

/** An address as sent by SMTP, with its domain in ASCII and lower case; or the reason why the text is invalid. */
export type ParsedAddress =
  | { readonly address: string; readonly fault?: never }
  | { readonly fault: string; readonly address?: never };

/** The longest path that a server must accept, without angle brackets (RFC 5321 §4.5.3.1.3). */
const maxAddress = 254;
const maxLocal = 64;

/**
 * The dot-atom of RFC 5322 §3.2.3 without `%`, which source routes (`a%b@c`) and encoded line breaks need. The RFC also
 * allows quotes and comments before the @, but those are used to forge addresses.
 */
const local = /^[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+)*$/;

/** Letters, marks and digits of any script, dots and hyphens. Domains in URLs may contain far more. */
const domainText = /^[\p{L}\p{M}\p{N}.-]+$/u;

/** Two labels or more (RFC 1123 §2.1). The last one is not all digits, because an IP address is not a mail domain. */
const domainAscii =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Parses one mailbox, `name@example.com`, and nothing else. Checks the length before it parses. */
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
    ? { fault: `must have at most ${maxAddress} characters with its domain in ASCII` }
    : { address };
}
