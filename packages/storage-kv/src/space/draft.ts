import { PosthornError } from '@posthorn/core';
import {
  checkRows,
  checkTransaction,
  checkValue,
  type KvRange,
  type KvRow,
  type KvTransaction,
} from '../store.js';
import { SortedMap } from './sorted-map.js';

const maxKeyLength = 200;
/** Rows of the first page that is read of many, and of each page at most. */
const firstPage = 16;
const lastPage = 512;

/**
 * A transaction that sees its own writes before the store has them: they are handed over at its end, each key once. What
 * was read is kept, so that no key is read twice.
 */
export class Draft {
  readonly #tx: KvTransaction;
  readonly #read = new Map<string, string | undefined>();
  /** Undefined: deleted. */
  readonly #written = new SortedMap<string | undefined>();
  /** What was there before each write since the last savepoint. */
  #undo: (readonly [key: string, wasWritten: boolean, value: string | undefined])[] = [];

  constructor(tx: KvTransaction) {
    checkTransaction(tx);
    this.#tx = tx;
  }

  async get(key: string): Promise<string | undefined> {
    if (this.#written.has(key)) return this.#written.get(key);
    if (this.#read.has(key)) return this.#read.get(key);
    const given = this.#tx.get(key);
    const value = checkValue(key, typeof given === 'object' && given !== null ? await given : given);
    this.#read.set(key, value);
    return value;
  }

  set(key: string, value: string): void {
    if (key.length > maxKeyLength || !/^[!-~]+$/.test(key)) {
      throw new PosthornError(
        'invalid_option',
        `a key must be 1 to ${maxKeyLength} characters of ASCII, not ${key}`,
      );
    }
    this.#write(key, value);
  }

  /** Sets a key that the store does not have: where it is deleted again, the store hears nothing of it. */
  insert(key: string, value: string): void {
    if (!this.#written.has(key)) this.#read.set(key, undefined);
    this.set(key, value);
  }

  delete(key: string): void {
    this.#write(key, undefined);
  }

  /** At most `limit` rows whose keys begin with `prefix`, which ends with a slash; `from` and `before` narrow it. */
  async under(
    prefix: string,
    { from = prefix, before = endOf(prefix), ...query }: Partial<KvRange> & Pick<KvRange, 'limit'>,
  ): Promise<readonly KvRow[]> {
    if (from >= before) return [];
    const { limit, reverse = false } = query;
    const own = [...this.#written.range(from, before)];
    const deleted = own.reduce((count, [, value]) => count + (value === undefined ? 1 : 0), 0);
    const wanted: KvRange = { from, before, limit: limit + deleted, ...(reverse && { reverse }) };
    const given = this.#tx.range(wanted);
    const stored = checkRows(Array.isArray(given) ? given : await given, wanted);
    if (own.length === 0) return stored;
    return merged(stored, reverse ? own.reverse() : own, reverse).slice(0, limit);
  }

  /** All rows whose keys begin with `prefix`, in pages; what is written meanwhile ahead of them is among them. */
  async *each(
    prefix: string,
    { reverse = false, ...bounds }: Partial<Omit<KvRange, 'limit'>> = {},
  ): AsyncGenerator<KvRow> {
    let { from = prefix, before = endOf(prefix) } = bounds;
    for (let limit = firstPage; ; limit = Math.min(limit * 2, lastPage)) {
      const rows = await this.under(prefix, { from, before, limit, reverse });
      yield* rows;
      const last = rows.at(-1)?.[0];
      if (last === undefined || rows.length < limit) return;
      if (reverse) before = last;
      // No key lies between the two: none has a lower character.
      else from = `${last}!`;
    }
  }

  /** Forgets how to undo what was written so far. */
  savepoint(): void {
    this.#undo = [];
  }

  /** Undoes what was written since the last savepoint. */
  rollback(): void {
    for (const [key, wasWritten, value] of this.#undo.reverse()) {
      if (wasWritten) this.#written.set(key, value);
      else this.#written.delete(key);
    }
    this.#undo = [];
  }

  /** Hands all writes to the store. */
  async flush(): Promise<void> {
    for (const [key, value] of this.#written.range('', '\x7f')) {
      // Most keys that were deleted again were never stored.
      if (this.#read.has(key) && this.#read.get(key) === value) continue;
      const done = value === undefined ? this.#tx.delete(key) : this.#tx.set(key, value);
      if (isPromise(done)) await done;
    }
  }

  #write(key: string, value: string | undefined): void {
    this.#undo.push([key, this.#written.has(key), this.#written.get(key)]);
    this.#written.set(key, value);
  }
}

/** What every key under `prefix` is before. */
export const endOf = (prefix: string): string => `${prefix.slice(0, -1)}0`;

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';

/** Both in one order; where both have a key, what is written counts. */
function merged(
  stored: readonly KvRow[],
  written: readonly (readonly [key: string, value: string | undefined])[],
  reverse: boolean,
): KvRow[] {
  const rows: KvRow[] = [];
  let at = 0;
  const isBefore = (one: string, other: string) => (reverse ? one > other : one < other);
  for (const [key, value] of written) {
    while (at < stored.length && isBefore(stored[at]![0], key)) rows.push(stored[at++]!);
    if (stored[at]?.[0] === key) at++;
    if (value !== undefined) rows.push([key, value]);
  }
  return rows.concat(stored.slice(at));
}
