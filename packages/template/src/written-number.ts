import type { Big } from 'big.js';
import { decimalIn } from './decimal.js';

/** The same symbol in every copy of this package: an application may have two, and pass values from one to the other. */
const brand = Symbol.for('posthorn.writtenNumber');

/**
 * A number that JavaScript would change or print differently: an integer beyond 2^53, or `42.00`. It keeps its
 * spelling. All other numbers of an event are ordinary ones.
 */
export class WrittenNumber {
  static {
    Object.defineProperty(WrittenNumber.prototype, brand, { value: true });
  }

  static [Symbol.hasInstance](value: unknown): value is WrittenNumber {
    return typeof value === 'object' && value !== null && brand in value;
  }

  readonly #text: string;

  /** `text` must be a JSON number. */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  /** Returns the nearest double, for `JSON.stringify`. Use `writeJson` to keep the spelling. */
  toJSON(): number {
    return Number(this.#text);
  }

  [Symbol.toPrimitive](hint: string): string | number {
    return hint === 'string' ? this.#text : Number(this.#text);
  }

  // liquidjs compares values by these five methods if they exist.

  equals(other: unknown): boolean {
    return isNumber(other) && compared(this, other) === 0;
  }

  gt(other: unknown): boolean {
    return compared(this, other) > 0;
  }

  geq(other: unknown): boolean {
    return compared(this, other) >= 0;
  }

  lt(other: unknown): boolean {
    return compared(this, other) < 0;
  }

  leq(other: unknown): boolean {
    return compared(this, other) <= 0;
  }
}

const isNumber = (value: unknown): value is number | WrittenNumber =>
  typeof value === 'number' || value instanceof WrittenNumber;

/** Parses a JSON number into an ordinary number if JavaScript prints it the same way, else into a WrittenNumber. */
export const numberOf = (text: string): number | WrittenNumber =>
  isShownAs(text) ? Number(text) : new WrittenNumber(text);

/** Whether JavaScript prints a JSON number the way it is written. */
export const isShownAs = (text: string): boolean => String(Number(text)) === text;

/** Compares two values for sorting: negative, 0 or positive. Returns NaN if one is not a number. */
export function compared(one: unknown, other: unknown): number {
  const [a, b]: readonly (Big | undefined)[] = [one, other].map((value) =>
    isNumber(value) ? decimalIn(String(value)) : undefined,
  );
  // For numbers with too many digits, the nearest double is precise enough.
  return a && b ? a.cmp(b) : Number(one) - Number(other);
}
