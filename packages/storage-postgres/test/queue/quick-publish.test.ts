import { type ClaimOptions, createIds, type NewEvent, type NewWebhook } from '@posthorn/core/storage';
import { seededRandom } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from '../database.js';

/** The seed and the number of cases, from `POSTHORN_QUICK=7,2000`. */
const [seed = 1, cases = 150] = (process.env.POSTHORN_QUICK ?? '').split(',').filter(Boolean).map(Number);
const random = seededRandom(seed);
const below = (count: number): number => Math.floor(random() * count);
const oneOf = <Item>(items: readonly Item[]): Item => items[below(items.length)]!;
const ids = createIds();

const tenants = ['acme', 'odd "one", \\{ü} null', 'NULL'];
const types = ['unmatched', 'one', 'three', 'two.bindings', 'all'];
const details = [null, null, 'plain', 'NULL', '', '{"a","b"} \\ ü😀'];

const newWebhook = (tenantId: string, eventTypes: string[], bindings = 1): NewWebhook => ({
  id: ids.webhook(),
  tenantId,
  name: 'w',
  eventTypes,
  channels: Array.from({ length: bindings }, (_, n) => ({
    id: ids.binding(),
    channel: n === 0 ? 'test' : 'odd "channel"',
    configs: {},
  })),
  isActive: true,
  secrets: [],
});

const newEvent = (tenantId: string, type: string): NewEvent => {
  const [namespaceId, subjectType, cacheScope] = [oneOf(details), oneOf(details), oneOf(details)];
  const hasDetails = random() < 0.3;
  return {
    id: ids.event(),
    tenantId,
    type,
    payload: JSON.stringify({ n: below(1000), text: 'ü😀'.repeat(below(30)) }),
    occurredAt: new Date(1_700_000_000_000 + below(1_000_000_000)),
    namespaceId: hasDetails ? namespaceId : null,
    subject: hasDetails && subjectType !== null ? { type: subjectType, id: oneOf(['1', 'a"b']) } : null,
    cacheScope: hasDetails ? cacheScope : null,
    orderingKey: null,
    matchingPatterns: [type, '*'],
  };
};

/** Fixes the order of an event's targets. The planner chooses it, and it decides which ones a limit leaves out. */
const inOrder = 'over (order by m.sort, m.webhook_id, b.binding_id) - 1 as t';

describe.skipIf(!hasPostgres())('the quick statement and the general one', () => {
  const schemas = ['quick', 'general'] as const;
  const webhooks = tenants.flatMap((tenant) => [
    newWebhook(tenant, ['one']),
    newWebhook(tenant, ['three', 'two.bindings'], 2),
    newWebhook(tenant, ['three']),
    newWebhook(tenant, ['three']),
    newWebhook(tenant, ['*']),
  ]);
  let database: TestDatabase;
  let quickRuns = 0;

  const storageOf = (schema: string) =>
    postgresStorage(
      {
        query(text: string, values?: unknown[]) {
          if (/insert into "quick".queue/.test(text) && /^\s*with g as/.test(text)) quickRuns++;
          return database.pool.query(text.replace('over () - 1 as t', inOrder), values);
        },
      },
      { schema },
    );

  /** Returns everything that a publish writes, with times relative to the publish. */
  const tablesOf = async (schema: string) => {
    const { rows: events } = await database.pool.query(
      `select to_jsonb(e) - 'published_at' as row, e.published_at > now() - interval '1 hour' as is_new
      from ${schema}.events e order by id`,
    );
    const { rows: queue } = await database.pool.query(
      `select to_jsonb(q) - '{due_at, begun_at, lease}'::text[] as row, q.due_at - e.published_at as due,
        q.begun_at - date_trunc('milliseconds', e.published_at) as begun, q.lease is not null as is_leased
      from ${schema}.queue q join ${schema}.events e on e.id = q.event_id order by event_id, binding_id`,
    );
    return { events, queue };
  };

  const claimForOf = (): ClaimOptions | undefined => {
    if (random() < 0.25) return undefined;
    const webhookRoom = new Map(webhooks.map(({ id }) => [id, below(10)]));
    return {
      limit: 1 + below(30),
      leaseMs: 60_000,
      webhookLimit: below(8),
      webhookRoom: random() < 0.5 ? webhookRoom : new Map(),
      ...(random() < 0.5 && { tenantLimit: below(12) }),
      ...(random() < 0.3 && { tenantRoom: new Map(tenants.map((tenant) => [tenant, below(5)])) }),
      ...(random() < 0.5 && { isBegun: true }),
    };
  };

  const allDo = async <Result>(run: (schema: string) => Promise<Result>): Promise<Result[]> => {
    const results: Result[] = [];
    for (const schema of schemas) results.push(await run(schema));
    return results;
  };

  beforeAll(async () => {
    database = await openDatabase();
    await allDo(async (schema) => {
      const storage = storageOf(schema);
      await storage.migrate();
      for (const webhook of webhooks) await storage.webhooks.create(webhook);
    });
  });

  test('return the same results and leave the same rows for any batch', async () => {
    for (let n = 0; n < cases; n++) {
      const kinds = Array.from({ length: 1 + below(4) }, () => [oneOf(tenants), oneOf(types)] as const);
      const batch = (count: number): NewEvent[] => [
        ...kinds.map(([tenant, type]) => newEvent(tenant, type)),
        ...Array.from({ length: count }, () => newEvent(...oneOf(kinds))),
      ];
      const [warm, events] = [batch(0), random() < 0.3 ? batch(0).slice(0, 1) : batch(below(12))];
      const changed = random() < 0.2 ? oneOf(webhooks) : undefined;
      const late = random() < 0.3 ? oneOf(webhooks) : undefined;
      const prefetch = claimForOf();
      const quickBefore = quickRuns;
      const results = await allDo(async (schema) => {
        const { deliveries } = storageOf(schema);
        await deliveries.publish(warm);
        if (changed) {
          const other = storageOf(schema).webhooks;
          const { version, isActive } = (await other.get(changed.tenantId, changed.id))!;
          await other.update(changed.tenantId, changed.id, version, { isActive: !isActive });
        }
        if (late) {
          await database.pool.query(
            `update ${schema}.queue set due_at = due_at - interval '5 seconds' where is_ready and webhook_id = $1`,
            [late.id],
          );
        }
        // A storage that has published nothing has cached nothing, and uses the general statement.
        const publisher = schema === 'quick' ? deliveries : storageOf(schema).deliveries;
        const { published, claims, at } = await publisher.publish(events, prefetch && { prefetch });
        expect(Math.abs(at.getTime() - Date.now())).toBeLessThan(60_000);
        expect(new Set(claims.map(({ token }) => token.split('.')[0])).size).toBe(Math.min(claims.length, 1));
        const tables = await tablesOf(schema);
        await database.pool.query(`delete from ${schema}.queue; delete from ${schema}.events`);
        for (const { begunAt } of claims) expect(begunAt).toEqual(prefetch?.isBegun ? at : undefined);
        const strip = ({ token: _, begunAt: __, ...claim }: (typeof claims)[number]) => claim;
        return { published, claims: claims.map(strip), ...tables };
      });
      expect(results[0], `case ${n} of seed ${seed}`).toEqual(results[1]);
      if (changed === undefined) expect(quickRuns).toBe(quickBefore + 1);
    }
    expect(quickRuns).toBeGreaterThan(cases / 2);
  }, 300_000);
});
