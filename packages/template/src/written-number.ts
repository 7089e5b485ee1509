import type { Big } from 'big.js';
import { decimalIn } from './decimal.js';

/**
 * A number that JavaScript would show as another one or in another way: an integer beyond 2^53, or `42.00`. It is shown as
 * it was written. All other numbers of an event are ordinary ones.
 */
export class WrittenNumber {
  readonly #text: string;

  /** `text` is a number of JSON. */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  /** What is nearest to it in JavaScript: for `JSON.stringify`, which knows no better. See `writeJson`. */
  toJSON(): number {
    return Number(this.#text);
  }

  [Symbol.toPrimitive](hint: string): string | number {
    return hint === 'string' ? this.#text : Number(this.#text);
  }

  // What liquidjs compares values with, wherever it finds these five.

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

/** The number that `text`, a number of JSON, is best held by: one of JavaScript where that is shown the same. */
export const numberOf = (text: string): number | WrittenNumber =>
  isShownAs(text) ? Number(text) : new WrittenNumber(text);

/** Whether JavaScript shows a number of JSON as it is written. */
export const isShownAs = (text: string): boolean => String(Number(text)) === text;

/** Negative, 0 or positive, as for sorting; NaN where one of them is no number, which is neither less nor more. */
export function compared(one: unknown, other: unknown): number {
  const [a, b]: readonly (Big | undefined)[] = [one, other].map((value) =>
    isNumber(value) ? decimalIn(String(value)) : undefined,
  );
  // Of what is not to be reckoned with, the nearest number of JavaScript is near enough.
  return a && b ? a.cmp(b) : Number(one) - Number(other);
}
