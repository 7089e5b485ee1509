import { Big } from 'big.js';

/** Cap on the digits of a number without exponent. Longer numbers are not computed, to bound time and memory. */
const maxDigits = 400;

/** Precision of a division, in digits. A repeating quotient is rounded to the nearest double afterwards. */
const digitsOfQuotient = 40;

/** A separate Big constructor, so that its settings do not affect other users of the library. */
const Decimal = Big();
Decimal.RM = Decimal.roundHalfUp;

/** Parses a JSON number. Returns undefined if it has too many digits. */
export function decimalIn(text: string): Big | undefined {
  try {
    return within(new Decimal(text));
  } catch {
    return undefined;
  }
}

/** Returns `value`, or undefined if it has too many digits. */
export const within = (value: Big): Big | undefined => {
  const digits = Math.max(value.e + 1, 1) + Math.max(value.c.length - value.e - 1, 0);
  return digits <= maxDigits ? value : undefined;
};

/** Returns the largest whole number that is not greater than `value`. */
export function floored(value: Big): Big {
  const whole = value.round(0, Decimal.roundDown);
  return whole.gt(value) ? whole.minus(1) : whole;
}

/**
 * Divides two numbers. The quotient is exact if it has few digits, else the nearest double, as in Ruby. The divisor
 * must not be 0.
 */
export function quotientOf(dividend: Big, divisor: Big): Big {
  const Division = Big();
  Division.DP = digitsOfQuotient + Math.max(divisor.e - dividend.e, 0);
  const quotient = new Division(dividend).div(divisor);
  if (quotient.times(divisor).eq(dividend)) return quotient;
  const nearest = Number(quotient.toString());
  return Number.isFinite(nearest) ? new Decimal(nearest) : quotient;
}

/** Formats a number without an exponent. One that is not of a whole type gets a decimal point: `1999.0`. */
export function writtenOut(value: Big, isWhole: boolean): string {
  const text = value.eq(0) ? '0' : value.toFixed();
  return isWhole || text.includes('.') ? text : `${text}.0`;
}
