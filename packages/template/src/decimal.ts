import { Big } from 'big.js';

/** Written out, a number has no more digits: what is longer is not reckoned with, as that takes time and memory. */
const maxDigits = 400;

/** More than anybody shows of a quotient that goes on for ever. */
const digitsOfQuotient = 40;

/** A constructor of our own: another copy's settings are not ours to change. */
const Decimal = Big();
Decimal.RM = Decimal.roundHalfUp;

/** The decimal that `text`, a number of JSON, says; undefined where it is too long to reckon with. */
export function decimalIn(text: string): Big | undefined {
  try {
    return within(new Decimal(text));
  } catch {
    return undefined;
  }
}

/** `value`, or undefined where it is too long to reckon with. */
export const within = (value: Big): Big | undefined => {
  const digits = Math.max(value.e + 1, 1) + Math.max(value.c.length - value.e - 1, 0);
  return digits <= maxDigits ? value : undefined;
};

/** The largest whole number that is not above `value`. */
export function floored(value: Big): Big {
  const whole = value.round(0, Decimal.roundDown);
  return whole.gt(value) ? whole.minus(1) : whole;
}

/**
 * `dividend / divisor`: exact where the quotient ends soon, else the nearest double, as Ruby has it. The divisor is not 0.
 */
export function quotientOf(dividend: Big, divisor: Big): Big {
  const Division = Big();
  Division.DP = digitsOfQuotient + Math.max(divisor.e - dividend.e, 0);
  const quotient = new Division(dividend).div(divisor);
  if (quotient.times(divisor).eq(dividend)) return quotient;
  const nearest = Number(quotient.toString());
  return Number.isFinite(nearest) ? new Decimal(nearest) : quotient;
}

/** Without an exponent, and with a point where it is no whole number by its nature: `1999.0`. */
export function writtenOut(value: Big, isWhole: boolean): string {
  const text = value.eq(0) ? '0' : value.toFixed();
  return isWhole || text.includes('.') ? text : `${text}.0`;
}
