import { type Claim, createIds, matchKeys, type NewEvent } from '@posthorn/core/storage';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const many = 5_000;
const ids = createIds();
const tenants = Array.from({ length: many }, (_, i) => `t${String(i).padStart(6, '0')}`);

const newEvent = (tenantId: string): NewEvent => ({
  id: ids.event(),
  tenantId,
  type: 'order.placed',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: matchKeys('order.placed'),
});

/** The claim of a worker with default options. */
const options = { limit: 200, leaseMs: 60_000, webhookLimit: 20, tenantLimit: 100, webhookRoom: new Map() };

describe.skipIf(!hasPostgres())('a late event where five thousand tenants have deliveries', () => {
  let database: TestDatabase;
  const process = () => postgresStorage(database.newPool({ max: 2 }));

  beforeAll(async () => {
    database = await openDatabase();
    const storage = process();
    await storage.migrate();
    const webhook = {
      ...{ tenantId: 'one', name: 'w', eventTypes: ['order.*'], isActive: true, secrets: [] },
      channels: [{ id: ids.binding(), channel: 'webhook', configs: {} }],
    };
    await storage.webhooks.create({ ...webhook, id: ids.webhook() });
    await database.pool.query(
      `with copies as (
        insert into posthorn.webhooks (id, tenant_id, name, event_types, channels, binding_ids, binding_channels,
          secrets, is_active, version, created_at, updated_at)
        select 'wh_' || lpad(n::text, 10, '0'), tenant, name, event_types,
          replace(channels, binding_ids[1], 'ch_' || lpad(n::text, 10, '0')), array['ch_' || lpad(n::text, 10, '0')],
          binding_channels, secrets, is_active, version, created_at, updated_at
        from posthorn.webhooks, unnest($1::text[] || '{a-late-one,z-late-one}'::text[]) with ordinality t(tenant, n)
        returning id, tenant_id
      )
      insert into posthorn.subscriptions (tenant_id, pattern, webhook_id) select tenant_id, 'order.*', id from copies`,
      [tenants],
    );
  }, 60_000);

  beforeEach(async () => {
    await database.pool.query('delete from posthorn.queue');
  });

  async function burst(storage: ReturnType<typeof postgresStorage>, each: number): Promise<void> {
    const events = tenants.flatMap((tenant) => Array.from({ length: each }, () => newEvent(tenant)));
    for (let i = 0; i < events.length; i += 1_000) {
      await storage.deliveries.publish(events.slice(i, i + 1_000));
    }
  }

  const has = (claims: readonly Claim[], { id }: NewEvent): boolean =>
    claims.some(({ event }) => event.id === id);

  test('is claimed at once where other workers have claimed all of the others', async () => {
    const [first, other] = [process(), process()];
    await burst(first, 1);
    // It knows all lanes, and the other worker empties them.
    await first.deliveries.claim(options);
    for (;;) {
      const claims = await other.deliveries.claim({ ...options, limit: 5_000 });
      if (claims.length === 0) break;
    }
    for (const tenant of ['z-late-one', 'a-late-one']) {
      const late = newEvent(tenant);
      await other.deliveries.publish([late]);
      expect(has(await first.deliveries.claim({ ...options, limit: 1 }), late), tenant).toBe(true);
    }
  }, 60_000);

  test('is claimed at once where the look that finds it goes on from the middle', async () => {
    const [first, other] = [process(), process()];
    await burst(other, 1);
    // What a process has looked for just now it does not look for again, before it has found nothing.
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    try {
      // Its look has as many lanes as it takes: the next one goes on behind them.
      await first.deliveries.claim(options);
      for (;;) {
        const claims = await other.deliveries.claim({ ...options, limit: 5_000 });
        if (claims.length === 0) break;
      }
      const late = newEvent('a-late-one');
      await other.deliveries.publish([late]);
      expect(has(await first.deliveries.claim(options), late)).toBe(true);
    } finally {
      now.mockRestore();
    }
  }, 60_000);

  test.each([
    ['this process has published', 1],
    // It finds the lanes by looks. Two of these walk through all lanes.
    ['another process has published', 4],
  ])(
    'that %s has its turn in round %i of the tenants, where all have more waiting',
    async (who, rounds) => {
      const [first, other] = [process(), process()];
      await burst(other, rounds + 1);
      await first.deliveries.claim(options);
      const late = ['a-late-one', 'z-late-one'].map(newEvent);
      await (who.startsWith('this') ? first : other).deliveries.publish(late);
      const most = rounds * Math.ceil((many + late.length) / options.limit);
      const claimed: Claim[] = [];
      for (let claims = 0; !late.every((event) => has(claimed, event)); claims++) {
        expect(claims).toBeLessThanOrEqual(most);
        claimed.push(...(await first.deliveries.claim(options)));
      }
    },
    60_000,
  );
});
