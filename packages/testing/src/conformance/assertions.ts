import assert from 'node:assert/strict';

/**
 * Passes where both are the same data: own fields, arrays and instants, all the way down; a field that is undefined
 * counts as left out. Prototypes do not count, as some runners give tests a realm of their own.
 */
export function same(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(data(actual), data(expected), message);
}

function data(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.prototype.toString.call(value) === '[object Date]') return `Date ${instantOf(value as Date)}`;
  if (Array.isArray(value)) return Array.from(value, data);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  // Through entries, as a field may be called `__proto__`.
  return Object.fromEntries(fields.map(([name, field]) => [name, data(field)]));
}

function instantOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

/**
 * Passes where `condition` is truthy. Its message is required: without one, node:assert looks for the expression in
 * the sources, and has been seen to look forever in transpiled ones.
 */
export function ok(condition: unknown, message: string): asserts condition {
  assert.ok(condition, message);
}
