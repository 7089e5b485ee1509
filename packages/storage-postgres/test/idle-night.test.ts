import { beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';
import { afterBurst, type Cost, costsAfter } from './idle-night.js';

/** `POSTHORN_IDLE_NIGHT=20000,200000` asks for the whole form. */
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

  test.each([0, 1, 2, 20])(
    'costs no statement more than twice the usual, where it was planned beside %s rows',
    async (left) => {
      let costs = await costsAfter(night(), left);
      // What does the same work costs the same, but for the height of an index.
      const dear = () =>
        [...costs].flatMap(([text, { calls, blocks, rows, ms }]) => {
          const before = usual.get(text);
          const isDear = !before || blocks > 2 * before.blocks + 500 || rows > 2 * before.rows + 500;
          return isDear ? [{ text, before, now: { calls, blocks, rows, ms } }] : [];
        });
      // What is deleted stays for as long as a transaction is open in any database, as those of other tests are. Then it is
      // stepped over, whatever the plans: those are made anew each time, and cost the same each time.
      for (let tries = 1; tries < 5 && dear().length > 0; tries++) costs = await costsAfter(night(), left);
      expect(dear()).toEqual([]);
      expect(costs.size).toBeGreaterThan(15);
      // Blocks and rows are what is judged; this is for what neither shows, on a machine that may be busy.
      expect(msOf(costs)).toBeLessThan(4 * msOf(usual) + 2_000);
    },
    300_000,
  );
});
