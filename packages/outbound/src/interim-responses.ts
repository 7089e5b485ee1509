/*
 * RFC 9110 §15.2: a client parses the 1xx responses before an answer, asked for or not. undici does, but takes a 100
 * for a fault. It is shown a 102 instead, which it passes over. Looked at are the status lines and heads of 1xx
 * responses alone: what follows is the answer, and goes by untouched.
 */

/** The longest beginning that is the same for all 1xx responses; `#` is a digit. */
const statusLine = 'HTTP/1.1 1##';

const lastDigit = statusLine.length - 1;

const byteOf = (text: string): number => text.charCodeAt(0);

const isDigit = (byte: number): boolean => byte >= byteOf('0') && byte <= byteOf('9');

/** What comes over a connection between a request and its answer. */
export class InterimResponses {
  /** Whether anything came since the request. */
  hasBegun = false;
  #place: 'status line' | 'head' | 'answer' = 'answer';
  /** How much of a status line was read. */
  #column = 0;
  /** Whether the line read so far holds nothing: the one that ends a head. */
  #isEmptyLine = false;
  /** Whether the status begins with 10. */
  #isTen = false;

  /** A request is sent: what comes next is its first response. */
  begin(): void {
    this.hasBegun = false;
    this.#beginStatusLine();
  }

  /** What was read, to be passed on. Writes a 102 where it says 100. */
  pass(chunk: Buffer): void {
    this.hasBegun = true;
    for (let at = 0; at < chunk.length && this.#place !== 'answer'; at++) {
      const byte = chunk[at]!;
      if (this.#place === 'head') this.#readHead(byte);
      else if (this.#isContinue(byte)) chunk[at] = byteOf('2');
    }
  }

  #beginStatusLine(): void {
    this.#place = 'status line';
    this.#column = 0;
    this.#isTen = false;
  }

  /** Reads on in a status line. True for the last byte of the status 100. */
  #isContinue(byte: number): boolean {
    const expected = statusLine.charCodeAt(this.#column);
    if (expected === byteOf('#') ? !isDigit(byte) : byte !== expected) {
      this.#place = 'answer';
      return false;
    }
    const isZero = byte === byteOf('0');
    if (this.#column === lastDigit - 1) this.#isTen = isZero;
    if (this.#column++ < lastDigit) return false;
    this.#place = 'head';
    this.#isEmptyLine = false;
    return this.#isTen && isZero;
  }

  #readHead(byte: number): void {
    if (byte === byteOf('\n')) {
      if (this.#isEmptyLine) this.#beginStatusLine();
      else this.#isEmptyLine = true;
    } else if (byte !== byteOf('\r')) this.#isEmptyLine = false;
  }
}
