import { createIds, type NewEvent } from '@posthorn/core/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../../src/client/database.js';
import { postgresStorage } from '../../src/index.js';
import { WebhookCache } from '../../src/queue/webhook-cache.js';
import { hasPostgres, openDatabase, type TestDatabase } from '../database.js';

const ids = createIds();
const total = 10_000;
const claimAll = {
  limit: 20_000,
  leaseMs: 60_000,
  webhookLimit: 100,
  webhookRoom: new Map<string, number>(),
};

const event = (type: string): NewEvent => ({
  id: ids.event(),
  tenantId: 't',
  type,
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: [type],
});

describe.skipIf(!hasPostgres())('The cache of webhooks', () => {
  let database: TestDatabase;
  let storage: ReturnType<typeof postgresStorage>;
  const newWebhook = (name: string, eventTypes: string[]) => ({
    id: ids.webhook(),
    tenantId: 't',
    name,
    eventTypes,
    channels: [{ id: ids.binding(), channel: 'test', configs: {} }],
    isActive: true,
    secrets: [],
  });

  beforeAll(async () => {
    database = await openDatabase();
    storage = postgresStorage(database.pool);
    await storage.migrate();
    const one = newWebhook('one', ['many', 'mixed']);
    await storage.webhooks.create(one);
    await storage.webhooks.create(newWebhook('fresh', ['mixed']));
    await database.pool.query(
      `insert into posthorn.webhooks (id, tenant_id, name, event_types, channels, binding_ids, binding_channels, secrets,
        is_active, version, created_at, updated_at)
      select 'wh_C' || lpad(n::text, 9, '0'), tenant_id, 'copy', '{many}',
        replace(channels, binding_ids[1], 'ch_C' || lpad(n::text, 9, '0')), array['ch_C' || lpad(n::text, 9, '0')],
        binding_channels, secrets, true, 1, now(), now()
      from posthorn.webhooks, generate_series(1, $2::integer) n where id = $1`,
      [one.id, total],
    );
    await database.pool.query(`insert into posthorn.subscriptions (tenant_id, pattern, webhook_id)
      select tenant_id, 'many', id from posthorn.webhooks where name = 'copy'`);
  });

  test('loses no webhook of a call when it is full: every claim has its binding', async () => {
    // More than the cache can have, in one call.
    const many = await storage.deliveries.publish([event('many')], { prefetch: claimAll });
    expect(many.claims).toHaveLength(total + 1);
    expect(many.claims.filter(({ binding }) => binding === undefined)).toEqual([]);
    for (let round = 0; round < 3; round++) {
      // One cached webhook, and one that evicts another.
      const mixed = await storage.deliveries.publish([event('mixed')], { prefetch: claimAll });
      expect(mixed.claims.map(({ binding }) => binding?.channel)).toEqual(['test', 'test']);
    }
  });

  test('loses none when many calls read at the same time', async () => {
    const both = ['mixed', 'many'];
    const calls = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        storage.deliveries.publish([event(both[n % 2]!)], { prefetch: claimAll }),
      ),
    );
    const claims = calls.flatMap((call) => call.claims);
    expect(claims).toHaveLength(3 * (total + 1) + 3 * 2);
    expect(claims.filter(({ binding }) => binding === undefined)).toEqual([]);
  });

  test('reports a webhook as deleted only where it was looked up in the database', async () => {
    const cache = new WebhookCache(
      new Database(database.pool, {
        schema: 'posthorn',
        prepare: true,
        timeoutMs: 30_000,
        clockOffset: undefined,
      }),
    );
    const { parts } = await cache.read([
      { id: 'wh_deleted000', stamp: null },
      { id: 'wh_vanished00', stamp: '1.1' },
    ]);
    expect(parts('wh_deleted000', 't', 'ch_0000000001').binding).toBeUndefined();
    expect(parts('wh_vanished00', 't', 'ch_0000000002').binding).toBeUndefined();
    expect(() => parts('wh_C000000001', 't', 'ch_0000000003')).toThrow('was not asked for');
  });
});
