import { createIds, type NewEvent } from '@posthorn/core/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Total Cost': number;
  readonly Plans?: readonly Plan[];
}

const ids = createIds();
const event = (overrides: Partial<NewEvent> = {}): NewEvent => ({
  id: ids.event(),
  tenantId: 'small',
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
const prefetch = { limit: 100, leaseMs: 60_000, webhookLimit: 100, webhookRoom: new Map<string, number>() };

/** Postgres compiles a statement whose estimated cost is more, which takes a hundred times as long as ours run. */
const jitAboveCost = 100_000;
const large = /^(queue|events|deliveries|attempts|idempotency_keys|webhook_versions)/;

/** The large tables that a plan reads from end to end. */
function scansOf(plan: Plan): string[] {
  const own = plan['Node Type'] === 'Seq Scan' && large.test(plan['Relation Name']!);
  return [...(own ? [plan['Relation Name']!] : []), ...(plan.Plans ?? []).flatMap(scansOf)];
}

describe.skipIf(!hasPostgres())('the statements of the hot path', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
  });

  test.each([
    ['no statistics', ''],
    ['what was large is empty', 'emptied'],
    ['a burst for one webhook that was analyzed', 'true'],
    ['a hundred thousand retries of one ordering key', 'false'],
  ])('go by the indexes, and are never compiled: %s', async (name, kind) => {
    const schema = `plans_${name.replaceAll(' ', '_')}`.slice(0, 60);
    const { pool } = database;
    const plans = new Map<string, Plan>();
    const watched = {
      async query(text: string, values?: unknown[]) {
        if (/json_to_recordset|json_array_elements|recursive|with g as/.test(text)) {
          const { rows } = await pool.query(`explain (format json) ${text}`, values);
          plans.set(text, rows[0]['QUERY PLAN'][0].Plan);
        }
        return pool.query(text, values);
      },
    };
    await postgresStorage(pool, { schema }).migrate();
    const storage = postgresStorage(watched, { schema });
    const newWebhook = (tenantId: string) => ({
      id: ids.webhook(),
      tenantId,
      name: 'w',
      eventTypes: ['order.created'],
      channels: [{ id: ids.binding(), channel: 'test', configs: {} }],
      isActive: true,
      secrets: [],
    });
    const loud = await storage.webhooks.create(newWebhook('loud'));
    await storage.webhooks.create(newWebhook('small'));
    for (let i = 0; i < 30; i++) await storage.webhooks.create(newWebhook('many'));
    if (kind !== '') {
      const key = kind === 'false' ? "'k'" : 'null';
      await pool.query(
        `insert into ${schema}.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries)
        select 'evt_0V' || lpad(i::text, 20, '0'), 'loud', 'order.created', '1', now(), now(), 1
        from generate_series(1, 100000) i`,
      );
      await pool.query(
        `insert into ${schema}.queue (due_at, position, attempts, attempts_before, is_ready, is_held, yields, event_id,
          binding_id, tenant_id, webhook_id, channel, ordering_key)
        select now() + case when $3 then interval '0' else interval '1 hour' end, i, 1, 0, $3, false, not $3,
          'evt_0V' || lpad(i::text, 20, '0'), $1, 'loud', $2, 'test', ${key}
        from generate_series(1, 100000) i`,
        [loud.channels[0]!.id, loud.id, String(kind !== 'false')],
      );
      await pool.query(
        `insert into ${schema}.idempotency_keys (tenant_id, key, fingerprint, event_id, deliveries, remembered_at)
        select 'loud', i::text, 'f', 'evt_0V' || lpad(i::text, 20, '0'), 1, now() from generate_series(1, 2000) i`,
      );
      if (kind === 'emptied') {
        await pool.query(`delete from ${schema}.queue; delete from ${schema}.idempotency_keys`);
      }
      await pool.query('vacuum analyze');
    }
    plans.clear();
    const events = [
      event({ orderingKey: 'k' }),
      event({ orderingKey: 'k' }),
      event({ idempotencyKey: 'k', fingerprint: 'f' }),
      event({ tenantId: 'loud', orderingKey: 'k' }),
      event({ tenantId: 'many' }),
    ];
    const claims = [...(await storage.deliveries.publish(events, { prefetch })).claims];
    await storage.deliveries.publish(
      events.map(({ idempotencyKey: _, ...one }) => ({ ...one, id: ids.event() })),
    );
    // Quickly, as it is known by now who gets them: several, and one alone.
    await storage.deliveries.publish([event(), event({ tenantId: 'loud' }), event({ tenantId: 'many' })]);
    const quick = await storage.deliveries.publish([event(), event({ tenantId: 'many' })], { prefetch });
    const one = await storage.deliveries.publish([event()], { prefetch });
    expect([...plans.keys()].filter((text) => /^\s*with g as/.test(text))).toHaveLength(2);
    claims.push(...quick.claims, ...one.claims);
    const more = await storage.deliveries.claim(prefetch);
    const all = [...claims, ...more];
    expect(await storage.deliveries.renew(all, 60_000)).toHaveLength(all.length);
    const settled = await storage.deliveries.settle(
      all.map((claim, n) => ({
        claim,
        next: n % 2 === 0 ? { status: 'delivered' } : { status: 'pending', delayMs: 0, unblocksOrder: true },
      })),
    );
    expect(settled).toEqual(all.map(() => true));

    expect(plans.size).toBeGreaterThan(6);
    const wrong = [...plans].flatMap(([text, plan]) => {
      const cost = plan['Total Cost'];
      const start = text.trim().replaceAll(/\s+/g, ' ').slice(0, 90);
      return [
        ...scansOf(plan).map((table) => `reads all of ${table}: ${start}`),
        ...(cost < jitAboveCost / 2 ? [] : [`costs ${cost}: ${start}`]),
      ];
    });
    expect(wrong).toEqual([]);
  });

  test('of what is published quickly are planned once a connection, however many events there are', async () => {
    const pool = database.newPool({ max: 1 });
    const { rows: versions } = await pool.query(
      "select current_setting('server_version_num')::integer as number",
    );
    if (versions[0].number < 140_000) return;
    const storage = postgresStorage(pool, { schema: 'planned' });
    await storage.migrate();
    for (const tenantId of ['small', 'many']) {
      await storage.webhooks.create({
        id: ids.webhook(),
        tenantId,
        name: 'w',
        eventTypes: ['order.created'],
        channels: [{ id: ids.binding(), channel: 'test', configs: {} }],
        isActive: true,
        secrets: [],
      });
    }
    for (let n = 0; n < 20; n++) {
      for (const options of [{}, { prefetch }]) {
        const events = Array.from({ length: 1 + n }, () => [event(), event({ tenantId: 'many' })]).flat();
        await storage.deliveries.publish(events, options);
        await storage.deliveries.publish([event()], options);
      }
    }
    const { rows } = await pool.query(
      `select generic_plans::integer as generic, custom_plans::integer as custom from pg_prepared_statements
      where statement like '%insert into "planned".queue%' and statement like '%with g as%'`,
    );
    expect(rows).toHaveLength(4);
    for (const { generic, custom } of rows) {
      expect(custom).toBeLessThanOrEqual(5);
      expect(generic).toBeGreaterThan(10);
    }
  });
});
