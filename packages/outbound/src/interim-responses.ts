/*
 * RFC 9110 §15.2: a client must parse 1xx responses before the final response, even unsolicited ones. undici does, but
 * treats a 100 as an error. This parser rewrites a 100 to a 102, which undici ignores. It reads only the status lines
 * and heads of 1xx responses; the final response passes through unchanged.
 */

/** The prefix shared by all 1xx responses; `#` is a digit. */
const statusLine = 'HTTP/1.1 1##';

const lastDigit = statusLine.length - 1;

const byteOf = (text: string): number => text.charCodeAt(0);

const isDigit = (byte: number): boolean => byte >= byteOf('0') && byte <= byteOf('9');

/** Tracks the bytes that arrive on a connection between a request and its final response. */
export class InterimResponses {
  /** Whether any byte arrived since the request. */
  hasBegun = false;
  #place: 'status line' | 'head' | 'answer' = 'answer';
  /** How many bytes of the status line were read. */
  #column = 0;
  /** Whether the current line is empty so far. An empty line ends a head. */
  #isEmptyLine = false;
  /** Whether the status starts with 10. */
  #isTen = false;

  /** Resets the parser for a new request. */
  begin(): void {
    this.hasBegun = false;
    this.#beginStatusLine();
  }

  /** Rewrites a status 100 in the chunk to 102, in place. */
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

  /** Reads a byte of a status line. Returns whether it is the last byte of the status 100. */
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
