import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayOf, rowsOf } from '../../src/client/arrays.js';
import { hasPostgres, openDatabase } from '../database.js';

test.skipIf(!hasPostgres())('Postgres reads any array as it was given', async () => {
  const database = await openDatabase();
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('', 'null', 'NULL', '{}', 'a,b', '"', '\\', '\\"', ' ', '\n', '\u0001[]', 'evt_0TvKq1'),
  );
  const columns = fc
    .integer({ min: 0, max: 5 })
    .chain((length) =>
      fc.tuple(
        fc.array(fc.option(text, { nil: undefined }), { minLength: length, maxLength: length }),
        fc.array(fc.option(fc.integer(), { nil: undefined }), { minLength: length, maxLength: length }),
      ),
    );
  await fc.assert(
    fc.asyncProperty(columns, async ([texts, numbers]) => {
      const isKept = texts.every((one) => one === undefined || !one.includes('\0'));
      fc.pre(isKept);
      const { rows } = await database.pool.query(
        `select g.* from ${rowsOf('g', { text: 'text', number: 'integer' })} order by n`,
        [arrayOf(texts), arrayOf(numbers)],
      );
      expect(rows).toEqual(
        texts.map((one, i) => ({ text: one ?? null, number: numbers[i] ?? null, n: String(i + 1) })),
      );
    }),
    { numRuns: 500 },
  );
});
