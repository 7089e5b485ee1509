import type { Page } from '@posthorn/core';
import { deliveryId, firstEventId } from '@posthorn/core/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import { type PostgresStorage, postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

interface Plan {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

const events = 40_000;
const newest = Date.UTC(2026, 10, 23);
/** They were published a second after the other. */
const eventIdOf = (n: number): string =>
  `${firstEventId(newest - (events - n) * 1000)}${String(n).padStart(14, '0')}`;

/** The rows that a plan reads from tables and indexes, whether it uses them or not. */
function readBy({ Plans = [], ...node }: Plan): number {
  if (Plans.length > 0) return Plans.reduce((sum, plan) => sum + readBy(plan), 0);
  return (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
}

describe.skipIf(!hasPostgres())('a page of what there is much of', () => {
  let database: TestDatabase;
  let rowsRead = 0;
  let storage: PostgresStorage;

  /** Forty thousand finished deliveries of three tenants, one in a thousand dead, to 10,000 webhooks of one name in ten. */
  beforeAll(async () => {
    database = await openDatabase();
    const { pool } = database;
    await postgresStorage(pool).migrate();
    const ids = Array.from({ length: events }, (_, i) => eventIdOf(i + 1));
    await pool.query(
      `insert into posthorn.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries)
      select id, (array['large', 'large', 'other', 'small'])[case when n % 500 = 0 then 4 else 1 + n % 3 end],
        case when n % 10 = 0 then 'order.paid' else 'order.created' end, '1', now(), now(), 1
      from unnest($1::text[]) with ordinality as g(id, n)`,
      [ids],
    );
    await pool.query(
      `insert into posthorn.deliveries (finished_at, attempts, attempts_before, event_id, binding_id, webhook_id, channel, status)
      select now(), 1, 0, id, 'ch_0123456789', 'wh_' || lpad((n % 10000)::text, 10, '0'), 'webhook',
        case when n % 1000 = 7 then 'dead' else 'delivered' end
      from unnest($1::text[]) with ordinality as g(id, n)`,
      [ids],
    );
    await pool.query(
      `insert into posthorn.webhooks (id, tenant_id, name, event_types, channels, binding_ids, binding_channels, secrets,
        is_active, version, created_at, updated_at)
      select 'wh_' || lpad(i::text, 10, '0'), 'large', 'name ' || i / 10, array['*'], '[]', array['ch'], array['c'], '[]',
        true, 1, now(), now()
      from generate_series(0, 9999) i`,
    );
    await pool.query('vacuum analyze');
    storage = postgresStorage({
      async query(text: string, values?: unknown[]) {
        const { rows } = await pool.query(`explain (analyze, format json) ${text}`, values);
        rowsRead += readBy(rows[0]['QUERY PLAN'][0].Plan);
        return pool.query(text, values);
      },
    });
  }, 120_000);

  const range = { fromEventId: eventIdOf(20_000), beforeEventId: eventIdOf(20_300) };
  const cursor = deliveryId(eventIdOf(5_000), 'ch_0123456789');
  const [webhookId, limit] = ['wh_0000000007', 20];

  test.each<[string, number, (storage: PostgresStorage) => Promise<Page<unknown> | readonly unknown[]>]>([
    ['events, the first', 20, ({ log }) => log.events('large', { limit })],
    ['events, far from the first', 20, ({ log }) => log.events('large', { limit, cursor: eventIdOf(500) })],
    ['events, of a small tenant', 20, ({ log }) => log.events('small', { limit })],
    ['events, of some time', 20, ({ log }) => log.events('large', { limit, ...range })],
    ['events, of a type', 20, ({ log }) => log.events('large', { limit, type: 'order.paid' })],
    ['deliveries, the first', 20, ({ log }) => log.deliveries('large', { limit })],
    ['deliveries, far from the first', 20, ({ log }) => log.deliveries('large', { limit, cursor })],
    ['deliveries, of some time', 20, ({ log }) => log.deliveries('large', { limit, ...range })],
    ['deliveries, of one event', 1, ({ log }) => log.deliveries('large', { limit, eventId: eventIdOf(9) })],
    ['deliveries, of a type', 20, ({ log }) => log.deliveries('large', { limit, eventType: 'order.paid' })],
    ['deliveries, dead', 20, ({ log }) => log.deliveries('large', { limit, status: ['dead', 'cancelled'] })],
    [
      'deliveries, delivered',
      20,
      ({ log }) => log.deliveries('large', { limit, status: ['delivered'], cursor }),
    ],
    ['deliveries, pending', 0, ({ log }) => log.deliveries('large', { limit, status: ['pending'] })],
    ['deliveries, of a webhook', 2, ({ log }) => log.deliveries('large', { limit: 2, webhookId })],
    ['counts, of some time', 2, ({ log }) => log.counts!('large', range, [eventIdOf(20_100)])],
    ['counts, of a webhook', 1, ({ log }) => log.counts!('large', { webhookId }, [])],
    ['webhooks, far from the first', 20, ({ webhooks }) => webhooks.list('large', { limit, cursor: '100' })],
    ['webhooks, of a name', 10, ({ webhooks }) => webhooks.list('large', { limit, name: 'name 5' })],
  ])('reads little more than it shows: %s', async (_, shown, read) => {
    rowsRead = 0;
    const answer = await read(storage);
    expect('items' in answer ? answer.items.length : answer.length).toBe(shown);
    expect(rowsRead).toBeLessThan(1_500);
  });
});
