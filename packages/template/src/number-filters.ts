import { Big } from 'big.js';
import { toValue } from 'liquidjs';
import { decimalIn, floored, quotientOf, within, writtenOut } from './decimal.js';
import { numberOf, WrittenNumber } from './written-number.js';

/*
 * Decimal arithmetic, as in Ruby's Liquid. Two whole numbers give a whole number, in a division too. If one of them is
 * a decimal, so is the result: `1999.0`.
 */

/** An operand, and whether it was written as a whole number. */
interface Operand {
  readonly value: Big;
  readonly isWhole: boolean;
}

type Result = number | WrittenNumber | null;

const zero: Operand = { value: new Big(0), isWhole: true };

/** Converts a value to an operand: of text, the number that it is or starts with; for other values 0. */
function operandOf(given: unknown): Operand | undefined {
  const value = toValue(given);
  if (typeof value === 'number' || value instanceof WrittenNumber) return operandIn(String(value));
  if (typeof value !== 'string') return zero;
  const [text] = /^-?\d+\.\d+$/.exec(value.trim()) ?? /^[+-]?\d+/.exec(value.trim()) ?? [];
  return text === undefined ? zero : operandIn(text.replace('+', ''));
}

function operandIn(text: string): Operand | undefined {
  const value = decimalIn(text);
  return value && { value, isWhole: /^-?\d+$/.test(text) };
}

/** Converts a result. An undefined one (division by 0, too many digits) is null: empty in text, null in JSON. */
function resultOf(value: Big | undefined, isWhole: boolean): Result {
  const shown = value && within(value);
  return shown ? numberOf(writtenOut(shown, isWhole)) : null;
}

/** Creates a filter of `count` operands, the input included. */
const arithmetic =
  (compute: (...operands: Operand[]) => Operand | undefined, count: number) =>
  (...given: unknown[]): Result => {
    const operands = Array.from({ length: count }, (_, i) => operandOf(given[i]));
    if (operands.includes(undefined)) return null;
    const result = compute(...(operands as Operand[]));
    return resultOf(result?.value, result?.isWhole ?? true);
  };

const binary = (compute: (a: Big, b: Big) => Big | undefined) =>
  arithmetic((a, b) => {
    const value = compute(a!.value, b!.value);
    return value && { value, isWhole: a!.isWhole && b!.isWhole };
  }, 2);

const unary = (compute: (a: Operand) => Operand) => arithmetic((a) => compute(a!), 1);

const whole = (value: Big): Operand => ({ value, isWhole: true });

/** Cap on decimal places (digits before the point if negative). No number has more digits. */
const maxPlaces = 400;

function rounded({ value, isWhole }: Operand, { value: asked }: Operand): Operand {
  const places = Math.max(-maxPlaces, Math.min(maxPlaces, Math.trunc(asked.toNumber())));
  return { value: value.round(places, 1), isWhole: isWhole || places <= 0 };
}

function divided(a: Operand, b: Operand, isFloored: boolean): Operand | undefined {
  const rest = remainder(a.value, b.value);
  if (!rest) return undefined;
  return isFloored || (a.isWhole && b.isWhole)
    ? whole(quotientOf(a.value.minus(rest), b.value))
    : { value: quotientOf(a.value, b.value), isWhole: false };
}

/** Returns the remainder, with the sign of the divisor. Returns undefined if the divisor is 0. */
function remainder(a: Big, b: Big): Big | undefined {
  if (b.eq(0)) return undefined;
  const rest = a.mod(b);
  return rest.eq(0) || rest.lt(0) === b.lt(0) ? rest : rest.plus(b);
}

/** Adds up the operands of `values`. */
export function sumOf(values: readonly unknown[]): Result {
  let sum: Operand = zero;
  for (const value of values) {
    const operand = operandOf(value);
    const next = operand && within(sum.value.plus(operand.value));
    if (!next) return null;
    sum = { value: next, isWhole: sum.isWhole && operand.isWhole };
  }
  return resultOf(sum.value, sum.isWhole);
}

/** The arithmetic filters, by name. */
export const numberFilters: Readonly<Record<string, (...given: unknown[]) => Result>> = {
  abs: unary(({ value, isWhole }) => ({ value: value.abs(), isWhole })),
  at_least: arithmetic((a, b) => (b!.value.gt(a!.value) ? b : a), 2),
  at_most: arithmetic((a, b) => (b!.value.lt(a!.value) ? b : a), 2),
  ceil: unary(({ value }) => whole(floored(value.times(-1)).times(-1))),
  divided_by: (given, by, isFloored = false) =>
    arithmetic((a, b) => divided(a!, b!, isFloored === true), 2)(given, by),
  floor: unary(({ value }) => whole(floored(value))),
  minus: binary((a, b) => a.minus(b)),
  modulo: binary(remainder),
  plus: binary((a, b) => a.plus(b)),
  round: arithmetic((a, b) => rounded(a!, b!), 2),
  times: binary((a, b) => a.times(b)),
  to_integer: unary(({ value }) => whole(value.round(0, 0))),
};
