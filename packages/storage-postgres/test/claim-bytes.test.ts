import { type Claim, createIds, matchKeys, type NewEvent } from '@posthorn/core/storage';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const mib = 1_024 * 1_024;
/** The size limit of a claim. */
const most = 8 * mib;
const ids = createIds();

const newEvent = (bytes: number): NewEvent => ({
  id: ids.event(),
  tenantId: 'acme',
  type: 'report.made',
  payload: JSON.stringify('x'.repeat(bytes - 2)),
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: matchKeys('report.made'),
});

const options = { limit: 200, leaseMs: 60_000, webhookLimit: 100, webhookRoom: new Map(), isBegun: true };
const eventsIn = (claims: readonly Claim[]): ReadonlyMap<string, number> =>
  new Map(claims.map(({ event }) => [event.id, event.payload.length]));
const bytesIn = (claims: readonly Claim[]): number =>
  [...eventsIn(claims).values()].reduce((sum, bytes) => sum + bytes, 0);

describe.skipIf(!hasPostgres())('the payloads of one claim', () => {
  let database: TestDatabase;
  /** The sizes of all payloads that were read from the database. */
  let read: number[] = [];
  let storage: ReturnType<typeof postgresStorage>;

  beforeAll(async () => {
    database = await openDatabase();
    storage = postgresStorage({
      async query(text: string, values?: unknown[]) {
        const answer = await database.pool.query(text, values);
        for (const { payload } of answer.rows) if (payload) read.push(payload.length);
        return answer;
      },
    });
    await storage.migrate();
    for (const name of ['first', 'second', 'third']) {
      await storage.webhooks.create({
        id: ids.webhook(),
        tenantId: 'acme',
        name,
        eventTypes: ['report.*'],
        channels: [{ id: ids.binding(), channel: 'webhook', configs: {} }],
        isActive: true,
        secrets: [],
      });
    }
  });

  beforeEach(async () => {
    await database.pool.query('delete from posthorn.queue');
  });

  const attemptsOf = async (claim: Claim): Promise<number | undefined> =>
    (await storage.log.deliveries('acme', { id: claim.deliveryId, limit: 1 })).items[0]?.attempts;

  test.each([
    ['large', mib, 20],
    ['the largest ones that come inline', 8 * 1_024, 1_100],
  ])(
    'are at most 8 MiB with payloads that are %s; the rest is claimed next, as if it had never been claimed',
    async (_, bytes, count) => {
      const events = Array.from({ length: count }, () => newEvent(bytes));
      for (let i = 0; i < count; i += 10) await storage.deliveries.publish(events.slice(i, i + 10));
      const taken = { ...options, limit: 5_000, webhookLimit: 5_000 };
      const all: Claim[] = [];
      for (let claims = 0; all.length < 3 * count; claims++) {
        read = [];
        const claimed = await storage.deliveries.claim(taken);
        expect(claimed.length).toBeGreaterThan(0);
        expect(bytesIn(claimed)).toBeLessThanOrEqual(most);
        expect(claimed.filter(({ attempt, begunAt, lostAt }) => attempt !== 1 || !begunAt || lostAt)).toEqual(
          [],
        );
        // Inline payloads come with each row.
        if (bytes === mib) expect(read.length).toBe(eventsIn(claimed).size);
        all.push(...claimed);
        expect(claims).toBeLessThan(40);
      }
      expect(new Set(all.map(({ deliveryId }) => deliveryId)).size).toBe(3 * count);
      expect(await storage.deliveries.claim(taken)).toEqual([]);
      // A delivery that was taken and released has begun once, with the claim that returned it.
      expect(await attemptsOf(all[0]!)).toBe(1);
      expect(await attemptsOf(all.at(-1)!)).toBe(1);
    },
    60_000,
  );

  test('are at least one, of any size', async () => {
    await storage.deliveries.publish([newEvent(9 * mib), newEvent(9 * mib)]);
    for (let claims = 0; claims < 2; claims++) {
      const claimed = await storage.deliveries.claim(options);
      expect([eventsIn(claimed).size, claimed.length]).toEqual([1, 3]);
    }
  });

  test('leave the start of the deferral unchanged for a delivery that is released', async () => {
    const events = Array.from({ length: 12 }, () => newEvent(mib));
    await storage.deliveries.publish(events);
    // Deferred two hours ago, and due for the last hour.
    await database.pool.query(
      `update posthorn.queue set put_off_since = now() - interval '2 hours', due_at = now() - interval '1 hour'`,
    );
    const all: Claim[] = [];
    while (all.length < 3 * events.length) all.push(...(await storage.deliveries.claim(options)));
    const minutes = all.map(({ deferredSince }) =>
      Math.round((Date.now() - deferredSince!.getTime()) / 60_000),
    );
    expect(new Set(minutes)).toEqual(new Set([60]));
  });
});
