import { type Context, toValue } from 'liquidjs';
import { sumOf } from './number-filters.js';
import { compared, WrittenNumber } from './written-number.js';

type ArrayFilter = (
  this: { readonly context: Context },
  ...values: unknown[]
) => Generator<unknown, unknown, unknown> | unknown;

function toArray(given: unknown): readonly unknown[] {
  const value = toValue(given);
  if (Array.isArray(value)) return value;
  return value === null || value === undefined ? [] : [value];
}

/** Pairs each item with its property of that name, or with itself if no name is given. */
function* withProperty(
  context: Context,
  items: readonly unknown[],
  property: unknown,
): Generator<unknown, (readonly [item: unknown, value: unknown])[], unknown> {
  const name = toValue(property);
  const pairs: (readonly [unknown, unknown])[] = [];
  for (const item of items) {
    const isItself = name === undefined || name === null || name === '';
    pairs.push([item, isItself ? item : yield context._getFromScope(item, String(name).split('.'), false)]);
  }
  return pairs;
}

/** Compares for sorting. Null and undefined come last. Numbers are compared by value, not by spelling. */
function compareItems(one: unknown, other: unknown): number {
  if (one == null || other == null) return Number(one == null) - Number(other == null);
  if (one instanceof WrittenNumber || other instanceof WrittenNumber) return compared(one, other) || 0;
  const [a, b] = [one, other] as [string, string];
  return a < b ? -1 : Number(a > b);
}

/** Array filters that replace those of liquidjs, with support for {@link WrittenNumber}. */
export const arrayFilters: Readonly<Record<string, ArrayFilter>> = {
  *sort(given, property) {
    const pairs = yield* withProperty(this.context, toArray(given), property);
    return pairs.sort(([, one], [, other]) => compareItems(one, other)).map(([item]) => item);
  },
  *sum(given, property) {
    const pairs = yield* withProperty(this.context, toArray(given), property);
    return sumOf(pairs.map(([, value]) => value));
  },
  uniq(given) {
    const numbers = new Set<unknown>();
    const others = new Set<unknown>();
    return toArray(given).filter((item) => {
      const isWritten = item instanceof WrittenNumber;
      const [seen, key] = isWritten ? [numbers, String(item)] : [others, item];
      return !seen.has(key) && seen.add(key);
    });
  },
};
