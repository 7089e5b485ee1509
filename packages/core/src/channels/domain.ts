import { domainToASCII, domainToUnicode } from 'node:url';

/** The capital ß, plain or percent-encoded: `ss` to Node 22, `ß` to Node 24 (UTS #46, before and since revision 31). */
const capitalSharpS = /ẞ|%e1%ba%9e/i;

/**
 * Converts the host of a URL, or the domain of a mailbox, to lower-case ASCII (UTS #46). Undefined where it is not valid, or
 * where versions of Node disagree: with the letter ẞ, and with a label that begins with `xn--` but encodes no other label.
 */
export function domainInAscii(text: string): string | undefined {
  if (capitalSharpS.test(text)) return undefined;
  const ascii = domainToASCII(text);
  return ascii !== '' && ascii.split('.').every(isWhole) ? ascii : undefined;
}

/** A label that cannot be decoded is empty on some runtimes, and unchanged on others. */
function isWhole(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const decoded = domainToUnicode(label);
  return decoded !== label && domainToASCII(decoded) === label;
}
