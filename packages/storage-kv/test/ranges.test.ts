import {
  array,
  asyncProperty,
  boolean,
  constantFrom,
  integer,
  oneof,
  option,
  property,
  record,
  assert as verify,
} from 'fast-check';
import { expect, test } from 'vitest';
import { type KvRange, type KvStore, memoryKv, sqliteKv } from '../src/index.js';
import { SortedMap } from '../src/space/sorted-map.js';
import { databaseFile, openers } from './database.js';

/** Few keys, of few characters, so that operations meet; some sort apart where bytes and cases are mixed up. */
const key = array(constantFrom('/', '0', 'A', 'a', '~'), { minLength: 1, maxLength: 4 }).map((letters) =>
  letters.join(''),
);
const value = constantFrom('', '1', 'ünï 📯', '{"a":1}', "o'1 %_\\");
const range = record({ from: key, before: key, limit: integer({ min: 1, max: 5 }), reverse: boolean() });
const write = record({ key, value: option(value) });
const transaction = record({
  writes: array(write, { maxLength: 8 }),
  ranges: array(range, { maxLength: 4 }),
  fails: boolean(),
});

interface Step {
  readonly writes: readonly { readonly key: string; readonly value: string | null }[];
  readonly ranges: readonly KvRange[];
  readonly fails: boolean;
}

/** Reads and then writes in one transaction; resolves to what was read. */
async function take(store: KvStore, { writes, ranges, fails }: Step): Promise<unknown> {
  const read: unknown[] = [];
  const last = new Map(writes.map(({ key, value }) => [key, value]));
  await store
    .transact(async (tx) => {
      for (const wanted of ranges) read.push(await tx.range(wanted), await tx.get(wanted.from));
      for (const [key, value] of last) await (value === null ? tx.delete(key) : tx.set(key, value));
      if (fails) throw new Error('refused');
    })
    .catch((error) => read.push(String(error)));
  return read;
}

test.each(Object.entries(openers))(
  'memory and SQLite of %s give the same values and ranges after any transactions, also after those that fail',
  async (_, open) => {
    const { path, remove } = databaseFile();
    const database = open(path);
    try {
      await verify(
        asyncProperty(array(transaction, { maxLength: 12 }), async (steps) => {
          database.exec('drop table if exists posthorn');
          const [memory, sqlite] = [memoryKv(), sqliteKv(database)];
          const all = { from: '!', before: '~~~~~', limit: 1_000 };
          for (const step of [...steps, { writes: [], ranges: [all], fails: false }]) {
            expect(await take(sqlite, step)).toEqual(await take(memory, step));
          }
        }),
        { numRuns: 60 },
      );
    } finally {
      database.close();
      remove();
    }
  },
);

test('a sorted map is a map whose keys are sorted, however many there are', async () => {
  const action = oneof(
    record({ set: integer({ min: 0, max: 3_000 }) }),
    record({ delete: integer({ min: 0, max: 3_000 }) }),
  );
  await verify(
    property(array(action, { maxLength: 200 }), integer({ min: 0, max: 3_000 }), (actions, from) => {
      const text = (number: number) => String(number).padStart(4, '0');
      const model = new Map<string, number>();
      const sorted = new SortedMap<number>();
      // Enough for several blocks.
      for (let i = 0; i < 3_000; i += 2) sorted.set(text(i), i);
      for (let i = 0; i < 3_000; i += 2) model.set(text(i), i);
      for (const each of actions) {
        if ('set' in each) {
          sorted.set(text(each.set), -each.set);
          model.set(text(each.set), -each.set);
        } else {
          sorted.delete(text(each.delete));
          model.delete(text(each.delete));
        }
      }
      const expected = [...model].filter(([key]) => key >= text(from) && key < '2500').sort();
      expect([...sorted.range(text(from), '2500')]).toEqual(expected);
      expect([...sorted.reverseRange(text(from), '2500')]).toEqual(expected.reverse());
    }),
    { numRuns: 60 },
  );
});
