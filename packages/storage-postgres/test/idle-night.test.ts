import { beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';
import { afterBurst, type Cost, costsAfter, costsOfLine } from './idle-night.js';

/** The default of `jit_above_cost`. */
const jitAboveCost = 100_000;

/** `POSTHORN_IDLE_NIGHT=20000,200000` runs the full test. */
const bursts = (process.env.POSTHORN_IDLE_NIGHT ?? '5000').split(',').map(Number);

describe.skipIf(!hasPostgres()).each(bursts)('a burst of %s after an idle night', (burst) => {
  let database: TestDatabase;
  let usual: ReadonlyMap<string, Cost>;
  const night = () => ({ url: database.url, pool: database.pool, schema: 'night', burst });
  const msOf = (costs: ReadonlyMap<string, Cost>): number =>
    [...costs.values()].reduce((sum, { ms }) => sum + ms, 0);

  beforeAll(async () => {
    database = await openDatabase();
    await afterBurst(night());
    usual = await costsAfter(night(), 'healthy');
  }, 300_000);

  test('reads no more rows than its work takes, even with the usual plans', () => {
    // The dearest takes 40 events and their deliveries, each in several steps. Reading a table for each is 100,000.
    const dear = [...usual].filter(
      ([, { calls, rows, estimate }]) => rows > 6_000 * calls || estimate > jitAboveCost,
    );
    expect(dear).toEqual([]);
  });

  test.each([0, 1, 2, 20])(
    'costs no statement more than twice the usual, with plans that were made beside %s rows',
    async (left) => {
      let costs = await costsAfter(night(), left);
      // The same work has the same cost, except for the height of an index.
      const dear = () =>
        [...costs].flatMap(([text, { calls, blocks, rows, ms }]) => {
          const before = usual.get(text);
          const isDear = !before || blocks > 2 * before.blocks + 500 || rows > 2 * before.rows + 500;
          return isDear ? [{ text, before, now: { calls, blocks, rows, ms } }] : [];
        });
      // Deleted rows stay while a transaction is open in any database, such as those of other tests. Then they are
      // stepped over, whatever the plans. The plans are made anew each time, and a bad one costs the same each time.
      for (let tries = 1; tries < 5 && dear().length > 0; tries++) costs = await costsAfter(night(), left);
      expect(dear()).toEqual([]);
      expect(costs.size).toBeGreaterThan(15);
      // A plan with a higher estimate is compiled each time it runs, which takes longer than running it.
      expect([...costs].filter(([, { estimate }]) => estimate > jitAboveCost)).toEqual([]);
      // Blocks and rows are compared above. This catches costs that neither shows, with tolerance for a busy machine.
      expect(msOf(costs)).toBeLessThan(4 * msOf(usual) + 2_000);
    },
    300_000,
  );

  test.each([0, 1, 2, 20])(
    'is taken from its front, however long a lane and a chain are, with plans that were made beside %s rows',
    async (left) => {
      const dear = [...(await costsOfLine(night(), left))].filter(
        ([, { calls, rows }]) => rows > 500 * calls,
      );
      expect(dear).toEqual([]);
    },
    300_000,
  );
});
