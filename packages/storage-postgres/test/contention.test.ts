import { type Claim, createIds, type NewEvent, type Settlement } from '@posthorn/core/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import { type PostgresStorage, postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const ids = createIds();
const event = (overrides: Partial<NewEvent> = {}): NewEvent => ({
  id: ids.event(),
  tenantId: 't',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: ['order.created'],
  ...overrides,
});
const claimOptions = {
  limit: 100,
  leaseMs: 60_000,
  webhookLimit: 100,
  webhookRoom: new Map<string, number>(),
};

const settled = (claim: Claim, next: Settlement['next']): Settlement => ({
  claim,
  next,
  attempt: {
    id: ids.attempt(),
    deliveryId: claim.deliveryId,
    number: claim.attempt,
    startedAt: new Date(),
    durationMs: 1,
    outcome: next.status === 'delivered' ? 'delivered' : 'failed',
    kind: next.status === 'delivered' ? null : 'http_status',
    message: null,
    status: null,
    response: null,
  },
});

describe.skipIf(!hasPostgres())('concurrent changes of the rows', () => {
  let database: TestDatabase;
  let storage: PostgresStorage;
  /** The codes of failed statements. */
  const codes: string[] = [];

  beforeAll(async () => {
    database = await openDatabase();
    const { pool } = database;
    const watched = {
      query: (text: string, values?: unknown[]) =>
        pool.query(text, values).catch((error: { code: string }) => {
          codes.push(error.code);
          throw error;
        }),
    };
    storage = postgresStorage(watched);
    await storage.migrate();
    await storage.webhooks.create({
      id: ids.webhook(),
      tenantId: 't',
      name: 'w',
      eventTypes: ['order.created'],
      channels: [{ id: ids.binding(), channel: 'test', configs: {} }],
      isActive: true,
      secrets: [],
    });
  });

  const claimsOf = async (count: number): Promise<readonly Claim[]> => {
    const events = Array.from({ length: count }, () => event());
    const { claims } = await storage.deliveries.publish(events, { prefetch: claimOptions });
    expect(claims).toHaveLength(count);
    return claims;
  };

  /** Runs `work` while a transaction has run `text`. The transaction commits once `work` waits for it. */
  async function behind<T>(text: string, work: () => Promise<T>): Promise<T> {
    const other = await database.pool.connect();
    await other.query('begin');
    await other.query(text);
    const result = work();
    const waits = `select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and $1 = any (pg_blocking_pids(pid))`;
    const { rows } = await other.query('select pg_backend_pid() as pid');
    while ((await database.pool.query(waits, [rows[0].pid])).rows.length === 0);
    await other.query('commit');
    other.release();
    return result;
  }

  describe.each([
    ['an update of the row', "update posthorn.queue set due_at = due_at + interval '1 second'"],
    [
      'an update of every row, twice',
      'update posthorn.queue set due_at = due_at; update posthorn.queue set due_at = due_at',
    ],
    ['a lock on the row', 'select from posthorn.queue for update'],
    ['a lock on the table', 'lock table posthorn.queue in exclusive mode'],
  ])('%s that came first', (_, text) => {
    test.each([
      ['a result', { status: 'delivered' }],
      ['a retry', { status: 'pending', delayMs: 3_600_000 }],
      ['a release', { status: 'released' }],
    ] as const)('delays %s, and does nothing else', async (_, next) => {
      await storage.deliveries.settle((await drained()).map((claim) => settled(claim, { status: 'dead' })));
      const claims = await claimsOf(3);
      const settlements = claims.map((claim) => settled(claim, next));
      expect(await behind(text, () => storage.deliveries.settle(settlements))).toEqual([true, true, true]);
      for (const { deliveryId } of claims) {
        const { items } = await storage.log.deliveries('t', { id: deliveryId, limit: 1 });
        expect(items[0]?.status).toBe(next.status === 'delivered' ? 'delivered' : 'pending');
        expect(await storage.log.attempts('t', deliveryId)).toHaveLength(1);
      }
    });

    test('delays a renewal, and does nothing else', async () => {
      const claims = await claimsOf(3);
      const renewed = await behind(text, () => storage.deliveries.renew(claims, 60_000));
      expect(renewed).toEqual(claims);
    });
  });

  test('take away a lease only where it is lost', async () => {
    const [claim] = await claimsOf(1);
    const text = 'update posthorn.queue set lease = 7 where lease is not null';
    expect(
      await behind(text, () => storage.deliveries.settle([settled(claim!, { status: 'dead' })])),
    ).toEqual([false]);
    const [other] = await claimsOf(1);
    expect(await behind(text, () => storage.deliveries.renew([other!], 60_000))).toEqual([]);
  });

  test('let a result begin another delivery once, even where that finishes meanwhile', async () => {
    await drained();
    const [first, second] = [ids.binding(), ids.binding()];
    const onlyAfter = { channel: first, failedAttempts: 1 };
    await storage.webhooks.create({
      id: ids.webhook(),
      tenantId: 'escalating',
      name: 'w',
      eventTypes: ['order.created'],
      channels: [
        { id: first, channel: 'test', configs: {} },
        { id: second, channel: 'test', configs: {}, onlyAfter },
      ],
      isActive: true,
      secrets: [],
    });
    const escalated = event({ tenantId: 'escalating' });
    const published = await storage.deliveries.publish([escalated], { prefetch: claimOptions });
    const failure = {
      ...settled(published.claims[0]!, { status: 'pending', delayMs: 0 }),
      escalateTo: [second],
    };
    await storage.deliveries.settle([failure]);
    const both = await storage.deliveries.claim(claimOptions);
    const again = both.find(({ binding }) => binding?.id === first)!;
    const text = `select from posthorn.queue where binding_id = '${first}' for update;
      with ended as (delete from posthorn.queue where binding_id = '${second}' returning *)
      insert into posthorn.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before, finished_at)
      select event_id, binding_id, webhook_id, channel, 'delivered', 1, 0, now() from ended`;
    const next = { ...settled(again, { status: 'pending', delayMs: 3_600_000 }), escalateTo: [second] };
    expect(await behind(text, () => storage.deliveries.settle([next]))).toEqual([true]);
    const { items } = await storage.log.deliveries('escalating', { limit: 10 });
    const of = (id: string) => items.filter(({ bindingId }) => bindingId === id).map(({ status }) => status);
    expect([of(first), of(second)]).toEqual([['pending'], ['delivered']]);
  });

  test.each(['read committed', 'repeatable read'])(
    'let a result begin another delivery once, even where a replay creates it and it finishes meanwhile, in %s transactions',
    async (level) => {
      await drained();
      const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`;
      const { deliveries, webhooks, log } = postgresStorage(database.newPool({ options }));
      const tenantId = `replayed ${level}`;
      const [first, second] = [ids.binding(), ids.binding()];
      const webhookId = ids.webhook();
      const onlyAfter = { channel: first, failedAttempts: 1 };
      await webhooks.create({
        ...{ id: webhookId, tenantId, name: 'w', eventTypes: ['order.created'], isActive: true, secrets: [] },
        channels: [
          { id: first, channel: 'test', configs: {} },
          { id: second, channel: 'test', configs: {}, onlyAfter },
        ],
      });
      const escalated = event({ tenantId });
      const { claims } = await deliveries.publish([escalated], { prefetch: claimOptions });
      // A replay creates it only without its `onlyAfter`, which the binding has lost since.
      const text = `select from posthorn.queue where binding_id = '${first}' for update;
        insert into posthorn.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before, finished_at)
        values ('${escalated.id}', '${second}', '${webhookId}', 'test', 'delivered', 1, 0, now())`;
      const next = {
        ...settled(claims[0]!, { status: 'pending', delayMs: 3_600_000 }),
        escalateTo: [second],
      };
      expect(await behind(text, () => deliveries.settle([next]))).toEqual([true]);
      const { items } = await log.deliveries(tenantId, { limit: 10 });
      const of = (id: string) =>
        items.filter(({ bindingId }) => bindingId === id).map(({ status }) => status);
      expect([of(first), of(second)]).toEqual([['pending'], ['delivered']]);
      expect(await log.attempts(tenantId, claims[0]!.deliveryId)).toHaveLength(1);
    },
  );

  test('by renewals and results lose no lease, and never deadlock', async () => {
    codes.length = 0;
    for (let round = 0; round < 15; round++) {
      const claims = await claimsOf(100);
      const nexts = [
        { status: 'delivered' },
        { status: 'pending', delayMs: 3_600_000 },
        { status: 'released' },
      ] as const;
      const settlements = claims.map((claim, n) => settled(claim, nexts[n % 3]!));
      const [renewed, written, more] = await Promise.all([
        storage.deliveries.renew([...claims].reverse(), 60_000),
        storage.deliveries.settle(settlements.slice(0, 60)),
        storage.deliveries.settle(settlements.slice(60, 90).reverse()),
        storage.deliveries.renew(claims, 60_000),
      ]);
      expect([...written, ...more]).toEqual(Array.from({ length: 90 }, () => true));
      const held = new Set(renewed.map(({ token }) => token));
      for (const { token } of claims.slice(90)) expect(held.has(token)).toBe(true);
      await database.pool.query('delete from posthorn.queue');
    }
    expect(codes).toEqual([]);
  });

  /** Claims everything that is due, so that each test has only its own rows. */
  async function drained(): Promise<readonly Claim[]> {
    await database.pool.query('delete from posthorn.queue');
    return [];
  }
});
