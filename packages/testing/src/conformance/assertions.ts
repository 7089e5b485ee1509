import assert from 'node:assert/strict';
import { type ErrorCode, isPosthornError } from '@posthorn/core';

/**
 * Passes where both values are the same data: own fields, arrays and dates, deeply. A field that is undefined counts as
 * missing. Prototypes are ignored, because some runners run tests in another realm.
 */
export function same(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(data(actual), data(expected), message);
}

function data(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.prototype.toString.call(value) === '[object Date]') return `Date ${instantOf(value as Date)}`;
  if (Array.isArray(value)) return Array.from(value, data);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  // Uses entries, because a field may be called `__proto__`.
  return Object.fromEntries(fields.map(([name, field]) => [name, data(field)]));
}

function instantOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

/**
 * Passes where `condition` is truthy. The message is required: without one, node:assert reads the expression from the
 * sources, which has been seen to loop forever with transpiled code.
 */
export function ok(condition: unknown, message: string): asserts condition {
  assert.ok(condition, message);
}

/** Passes if `promise` rejects with a PosthornError of this code. The failure message includes the input `what`. */
export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>, what = ''): Promise<void> {
  const given = what && ` of ${JSON.stringify(what)}`;
  const error = await promise.then(
    () => assert.fail(`must reject with ${code}${given}, but it resolved`),
    (reason: unknown) => reason,
  );
  ok(isPosthornError(error), `must reject with a PosthornError${given}, not ${String(error)}`);
  assert.equal(error.code, code);
}
