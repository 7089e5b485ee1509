import { createIds, matchKeys } from '@posthorn/core/storage';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';
import type { Place } from './competitor.js';

/** Measures one event to 1,000 webhooks, and claims with 1,000,000 finished and 100,000 pending deliveries. */
export async function fanOut({ postgres }: Place): Promise<void> {
  const pool = new pg.Pool({ connectionString: postgres, max: 4 });
  await pool.query('drop schema if exists posthorn cascade');
  let statements = 0;
  const counting = {
    totalCount: 0,
    idleCount: 0,
    query(...args: [never]) {
      statements++;
      return pool.query(...args);
    },
  };
  const storage = postgresStorage(counting as never);
  await storage.migrate();
  const ids = createIds();
  for (let i = 0; i < 1_000; i++) {
    await storage.webhooks.create({
      id: ids.webhook(),
      tenantId: 't',
      name: 'w',
      eventTypes: ['order.*'],
      channels: [{ id: ids.binding(), channel: 'webhook', configs: {} }],
      isActive: true,
      secrets: [],
    });
  }
  const event = () => ({
    id: ids.event(),
    tenantId: 't',
    type: 'order.created',
    payload: JSON.stringify('x'.repeat(1_000)),
    occurredAt: new Date(),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    matchingPatterns: matchKeys('order.created'),
  });
  await storage.deliveries.publish([event()]);
  statements = 0;
  const begin = performance.now();
  const { published } = await storage.deliveries.publish([event()]);
  console.log(
    `\nfan-out: ${published[0]!.deliveries} deliveries of one event in ${statements} statement, ${(performance.now() - begin).toFixed(1)} ms`,
  );

  const small = await claimTimes(storage);
  await fill(pool);
  const large = await claimTimes(storage);
  const p99 = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
  const p50 = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length * 0.5)]!;
  console.log(
    `claims of 100: p50 ${p50(small).toFixed(1)} and p99 ${p99(small).toFixed(1)} ms among 2,000; p50 ${p50(large).toFixed(1)} and p99 ${p99(large).toFixed(1)} ms with 1,000,000 finished and 100,000 pending: p99 ${(p99(large) / p99(small)).toFixed(2)} times`,
  );
  await pool.end();
}

/** The times of claims of 100 deliveries; each claim is released. */
async function claimTimes(storage: ReturnType<typeof postgresStorage>): Promise<number[]> {
  const options = { limit: 100, leaseMs: 60_000, webhookLimit: 100, webhookRoom: new Map() };
  const times: number[] = [];
  for (let i = 0; i < 220; i++) {
    const begin = performance.now();
    const claims = await storage.deliveries.claim(options);
    if (i >= 20) times.push(performance.now() - begin);
    await storage.deliveries.settle(claims.map((claim) => ({ claim, next: { status: 'released' } })));
  }
  return times;
}

/** Inserts rows as the engine would have left them. */
async function fill(pool: pg.Pool): Promise<void> {
  const base = 'lpad(i::text, 22, $$0$$)';
  await pool.query(`
    insert into posthorn.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries)
    select 'evt_' || ${base}, 't', 'order.created', '{}', now(), now(), 1 from generate_series(1, 1100000) i`);
  await pool.query(`
    insert into posthorn.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
      finished_at, attempt_id, started_at, duration_ms, outcome, http_status, response)
    select 'evt_' || ${base}, 'ch_0000000000', 'wh_0000000000', 'webhook', 'delivered', 1, 0, now(),
      'att_' || ${base}, now(), 5, 'delivered', 200, 'ok'
    from generate_series(1, 1000000) i`);
  await pool.query(`
    insert into posthorn.queue (due_at, attempts, attempts_before, is_ready, is_held, yields, event_id, binding_id,
      tenant_id, webhook_id, channel)
    select now(), 0, 0, true, false, false, 'evt_' || ${base}, binding_ids[1], 't', w.id, 'webhook'
    from generate_series(1000001, 1100000) i join (
      select *, row_number() over () - 1 as n from posthorn.webhooks
    ) w on w.n = i % 1000`);
  await pool.query('analyze');
}
