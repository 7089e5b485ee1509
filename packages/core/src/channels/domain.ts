import { domainToASCII, domainToUnicode } from 'node:url';

/** The capital ß, plain or percent-encoded: `ss` to Node 22, `ß` to Node 24 (UTS #46, before and since revision 31). */
const capitalSharpS = /ẞ|%e1%ba%9e/i;

/**
 * The host of a URL or the domain of a mailbox in ASCII and lower case (UTS #46); undefined where it is none. Refused is
 * also what would be another domain, or none, on another version of Node: the letter ẞ, and a label that begins with
 * `xn--` but is not how any other is written in ASCII.
 */
export function domainInAscii(text: string): string | undefined {
  if (capitalSharpS.test(text)) return undefined;
  const ascii = domainToASCII(text);
  return ascii !== '' && ascii.split('.').every(isWhole) ? ascii : undefined;
}

/** Of a label that does not decode some runtimes make an empty one, and others leave it as it is. */
function isWhole(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const decoded = domainToUnicode(label);
  return decoded !== label && domainToASCII(decoded) === label;
}
