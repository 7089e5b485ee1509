import { type Claim, createIds, deliveryId, type NewEvent } from '@posthorn/core/storage';
import pg from 'pg';
import { postgresStorage } from '../src/index.js';

/*
 * Measures what each statement costs after a night in which the queue was empty: the blocks it touches and the rows it
 * reads, by EXPLAIN ANALYZE of the plan that its connection made while the tables were almost empty.
 */

/** The costs of a statement over all its calls. */
export interface Cost {
  calls: number;
  blocks: number;
  rows: number;
  ms: number;
  /** The highest estimate of a plan, in the planner's units. */
  estimate: number;
}

interface Node {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Join Filter'?: number;
  readonly Plans?: readonly Node[];
}

const visited = (node: Node): number =>
  node['Actual Loops'] *
    (node['Actual Rows'] +
      (node['Rows Removed by Filter'] ?? 0) +
      (node['Rows Removed by Join Filter'] ?? 0)) +
  (node.Plans ?? []).reduce((sum, child) => sum + visited(child), 0);

/** A pool of one connection that prepares every statement, and explains it before running it. */
class ExplainingPool {
  readonly costs = new Map<string, Cost>();
  readonly #client: pg.Client;
  readonly #names = new Map<string, string>();
  #isExplaining = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#client = new pg.Client({ connectionString: url });
    this.#client.on('error', () => {});
  }

  async connect(): Promise<void> {
    await this.#client.connect();
    // Postgres chooses this mode itself after a few calls of a statement.
    await this.#client.query('set plan_cache_mode = force_generic_plan');
  }

  explain(): void {
    this.#isExplaining = true;
  }

  end(): Promise<void> {
    return this.#client.end();
  }

  query(text: string, values: unknown[] = []): Promise<pg.QueryResult> {
    const result = this.#turn.then(() => this.#query(text, values));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #query(text: string, values: unknown[]): Promise<pg.QueryResult> {
    if (!/\.queue\b/.test(text)) return this.#client.query(text, values);
    const known = this.#names.get(text);
    const name = known ?? `s${this.#names.size}`;
    if (!known) {
      this.#names.set(text, name);
      await this.#client.query(`prepare ${name} as ${text}`);
    }
    const run = `execute ${name}${values.length > 0 ? `(${values.map(literal).join(', ')})` : ''}`;
    if (!this.#isExplaining) return this.#client.query(run);
    await this.#client.query('begin');
    const { rows } = await this.#client.query(`explain (analyze, buffers, format json) ${run}`);
    await this.#client.query('rollback');
    const [{ Plan: plan, 'Execution Time': ms }] = rows[0]['QUERY PLAN'] as [
      { Plan: Node & { 'Total Cost': number }; 'Execution Time': number },
    ];
    // Timing decides which of the two forms of this statement runs: count them as one.
    const key = text.replace(/, \(select json_object_agg.+ as taken/s, '');
    const cost = this.costs.get(key) ?? { calls: 0, blocks: 0, rows: 0, ms: 0, estimate: 0 };
    cost.calls++;
    cost.blocks += (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
    cost.rows += visited(plan);
    cost.ms += ms;
    cost.estimate = Math.max(cost.estimate, plan['Total Cost']);
    this.costs.set(key, cost);
    return this.#client.query(run);
  }
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`;
  return pg.escapeLiteral(String(value));
}

const ids = createIds();
const newEvent = (overrides: Partial<NewEvent> = {}): NewEvent => {
  const { type = 'plain' } = overrides;
  return {
    id: ids.event(),
    tenantId: 'acme',
    type,
    payload: '{}',
    occurredAt: new Date(),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    matchingPatterns: [type],
    ...overrides,
  };
};

const tables = ['queue', 'events_default', 'deliveries_default', 'attempts_default', 'idempotency_keys'];
const webhookCount = 50;

export interface Night {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly schema: string;
  /** The number of rows that the queue held, and holds again after the night. */
  readonly burst: number;
}

/** Creates a schema whose queue once held a burst and is empty. Only the test vacuums or analyzes it. */
export async function afterBurst({ pool, schema, burst }: Night): Promise<void> {
  await postgresStorage(pool, { schema }).migrate();
  const { rows } = await pool.query(
    `select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'r'`,
    [schema],
  );
  for (const { relname } of rows)
    await pool.query(`alter table ${schema}.${relname} set (autovacuum_enabled = false)`);
  await createWebhooks(pool, schema);
  await remember(pool, schema, burst);
  await fill(pool, schema, burst);
  await emptyQueue({ pool, schema });
}

/** The SQL of the event ids of a burst, which are newer than all others. */
const eventId = (fill: number): string =>
  `'evt_7V${String(fill).padStart(4, '0')}' || lpad(i::text, 16, '0')`;

/** How often the queue was filled. Each fill uses new event ids, as the keys in an index never repeat. */
let fills = 0;

async function createWebhooks(pool: pg.Pool, schema: string): Promise<void> {
  const storage = postgresStorage(pool, { schema });
  const create = (n: number, eventTypes: string[], more: object = {}) =>
    storage.webhooks.create({
      id: ids.webhook(),
      tenantId: 'acme',
      name: `${n}`,
      eventTypes,
      channels: [{ id: ids.binding(), channel: 'test', configs: {}, ...more }],
      isActive: true,
      secrets: [],
    });
  for (let n = 0; n < webhookCount; n++) await create(n, ['plain', `one.${n}`]);
  await create(webhookCount, ['gathers'], { digest: { window: 1, maxEvents: 10 } });
  await storage.webhooks.create({
    id: ids.webhook(),
    tenantId: 'acme',
    name: 'escalates',
    eventTypes: ['escalates'],
    channels: [
      { id: ids.binding(), channel: 'test', configs: {} },
      { id: ids.binding(), channel: 'late', configs: {}, onlyAfter: { channel: 'test', failedAttempts: 1 } },
    ],
    isActive: true,
    secrets: [],
  });
}

/**
 * Fills the queue with deliveries of one webhook: a third wait for their retries, a third are in digests, and a third
 * are in chains, of which one is long.
 */
async function fill(pool: pg.Pool, schema: string, count: number): Promise<void> {
  const { id, binding } = await target(pool, schema);
  await pool.query(
    `insert into ${schema}.queue (due_at, position, attempts, attempts_before, is_ready, is_held, yields, event_id,
      binding_id, tenant_id, webhook_id, channel, digest_id, ordering_key)
    select now() + interval '1 hour', i, 1, 0, false, i % 3 = 2, false, ${eventId(++fills)}, $1, 'acme', $2, 'test',
      case i % 3 when 1 then 'dig_7V' || i / 300 end, case i % 3 when 2 then 'k' || greatest(i - $3 / 2, 0) / 300 end
    from generate_series(1, $3::integer) i`,
    [binding, id, count],
  );
}

/** What a queue that was busy before has left in the log, which keeps it longer than a night. */
async function remember(pool: pg.Pool, schema: string, count: number): Promise<void> {
  const { id, binding } = await target(pool, schema);
  await pool.query(
    `with stored as (
      insert into ${schema}.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries)
      select ${eventId(0)}, 'acme', 'one.0', '1', now(), now(), 1 from generate_series(1, $3::integer) i
      returning id
    ), ended as (
      insert into ${schema}.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before,
        finished_at)
      select id, $1, $2, 'test', case when id like '%0' then 'dead' else 'delivered' end, 2, 0, now() from stored
    )
    insert into ${schema}.attempts (event_id, binding_id, id, number, started_at, duration_ms, outcome)
    select id, $1, 'att_' || substr(id, 5), 1, now(), 1, 'failed' from stored`,
    [binding, id, count],
  );
}

async function target(pool: pg.Pool, schema: string): Promise<{ id: string; binding: string }> {
  const { rows } = await pool.query(
    `select id, binding_ids[1] as binding from ${schema}.webhooks where 'one.0' = any (event_types)`,
  );
  return rows[0];
}

/** Deletes what an earlier round left, which would be work for this one. */
async function clear({ pool, schema }: Night): Promise<void> {
  for (const table of ['queue', 'idempotency_keys'])
    await pool.query(`delete from ${schema}.${table} where tenant_id = 'acme'`);
  for (const [table, key] of [
    ['events', 'id'],
    ['deliveries', 'event_id'],
    ['attempts', 'event_id'],
  ])
    await pool.query(`delete from ${schema}.${table} where ${key} < 'evt_7V'`);
}

/**
 * Vacuums and analyzes with `left` rows in the queue, then fills it. The plans are from before the fill, or from a
 * healthy queue.
 */
export async function costsAfter(night: Night, left: number | 'healthy'): Promise<ReadonlyMap<string, Cost>> {
  const { pool, schema, burst } = night;
  if (left === 'healthy') return costsOf(night, burst, tables, (storage) => goThrough(storage, 40));
  // Webhooks are few and analyzed: a plan that reads all of them for each delivery looks as good as any other.
  const counted = [...tables, 'webhooks', 'subscriptions'];
  const refill = () => emptyQueue(night).then(() => fill(pool, schema, burst));
  return costsOf(night, left, counted, (storage) => goThrough(storage, 40), refill);
}

/**
 * The costs of claiming and settling at the front of a long line after a night: half of the burst is ready in one lane,
 * half is one chain.
 */
export async function costsOfLine(night: Night, left: number): Promise<ReadonlyMap<string, Cost>> {
  await costsAfter(night, left);
  const takeFront = async ({ deliveries }: ReturnType<typeof postgresStorage>) => {
    const room = { limit: 10, leaseMs: 60_000, webhookLimit: 10, webhookRoom: new Map() };
    for (let round = 0; round < 10; round++) {
      await deliveries.publish([newEvent({ type: 'one.0' })], { prefetch: room });
      await deliveries.publish([newEvent({ type: 'one.0', orderingKey: 'k' })], { prefetch: room });
      const claims = await deliveries.claim(room);
      await deliveries.settle(claims.map((claim) => ({ claim, next: { status: 'delivered' } })));
    }
  };
  return costsOf(night, left, tables, takeFront, () => emptyQueue(night).then(() => fillLine(night)));
}

/**
 * The costs of `work`, with plans that were made after vacuuming and analyzing with `left` rows in the queue, and before
 * `refill`.
 */
async function costsOf(
  night: Night,
  left: number,
  counted: readonly string[],
  work: (storage: ReturnType<typeof postgresStorage>) => Promise<void>,
  refill: () => Promise<void> = async () => {},
): Promise<ReadonlyMap<string, Cost>> {
  const { url, pool, schema } = night;
  await clear(night);
  await fill(pool, schema, left);
  for (const table of counted) await pool.query(`vacuum (analyze) ${schema}.${table}`);
  const own = new ExplainingPool(url);
  await own.connect();
  try {
    const storage = postgresStorage(own, { schema });
    // The plans are made here, while the tables are empty.
    await goThrough(storage, 1);
    await refill();
    own.explain();
    await work(storage);
  } finally {
    await own.end();
  }
  return own.costs;
}

async function emptyQueue({ pool, schema }: Pick<Night, 'pool' | 'schema'>): Promise<void> {
  await pool.query(`delete from ${schema}.queue where tenant_id = 'acme'`);
}

/** Fills the queue with deliveries of one webhook that are due: half of them ready, half a chain behind its first. */
async function fillLine({ pool, schema, burst }: Night): Promise<void> {
  const { id, binding } = await target(pool, schema);
  await pool.query(
    `insert into ${schema}.queue (due_at, position, attempts, attempts_before, is_ready, is_held, yields, event_id,
      binding_id, tenant_id, webhook_id, channel, ordering_key)
    select now() - case when i > $3 / 2 + 1 then interval '-1 hour' else i * interval '1 millisecond' end,
      case when i > $3 / 2 then i end, 0, 0, i <= $3 / 2 + 1, i > $3 / 2 + 1,
      false, ${eventId(0)}, $1, 'acme', $2, 'test', case when i > $3 / 2 then 'k' end
    from generate_series(1, $3::integer) i`,
    [binding, id, burst],
  );
}

/** Runs every operation of the queue with `count` deliveries at a time, always in the same order. */
async function goThrough(storage: ReturnType<typeof postgresStorage>, count: number): Promise<void> {
  const { deliveries, log } = storage;
  const options = { limit: 10 * count, leaseMs: 60_000, webhookLimit: 1_000, webhookRoom: new Map() };
  const events = (overrides: Partial<NewEvent> = {}) =>
    Array.from({ length: count }, () => newEvent(overrides));
  const claimAll = async () => {
    const all: Claim[] = [];
    for (;;) {
      const claims = await deliveries.claim(options);
      if (claims.length === 0) return all;
      await deliveries.begin(claims, 0);
      all.push(...claims);
    }
  };
  const settle = (claims: readonly Claim[], next: object, begin?: readonly string[]) =>
    deliveries.settle(
      claims.map((claim, n) => ({
        claim,
        next: next as { status: 'delivered' },
        attempt: {
          id: `${ids.attempt()}${n}`,
          deliveryId: claim.deliveryId,
          number: claim.attempt,
          startedAt: new Date(),
          durationMs: 1,
          outcome: 'failed' as const,
          kind: null,
          message: null,
          status: 500,
          response: null,
        },
        ...(begin && { escalateTo: begin }),
      })),
    );
  const again = { status: 'pending', delayMs: 0, unblocksOrder: false };

  const { claims: handedOver } = await deliveries.publish(events({ type: 'one.1' }), { prefetch: options });
  await deliveries.renew(handedOver, 60_000);
  await settle(handedOver, again);
  const begun = { ...options, isBegun: true, tenantLimit: 1 };
  await settle((await deliveries.publish(events({ type: 'one.1' }), { prefetch: begun })).claims, again);
  await settle(await claimAll(), { status: 'delivered' });

  await deliveries.publish(events({ type: 'plain' }));
  await deliveries.publish(events({ type: 'one.2', orderingKey: 'k' }));
  await deliveries.publish(
    events({ type: 'one.3' }).map((event, n) => ({
      ...event,
      idempotencyKey: `${event.id}${n}`,
      fingerprint: 'f',
    })),
  );
  const claims = await deliveries.claim(options);
  const half = Math.ceil(claims.length / 2);
  await deliveries.settle(
    claims.map((claim, n) => ({
      claim,
      next: n < half ? { status: 'released' as const } : { status: 'delivered' as const },
    })),
  );
  await settle(await claimAll(), { status: 'dead' });

  const escalating = events({ type: 'escalates' });
  await deliveries.publish(escalating);
  for (let round = 0; round < 2; round++) {
    const first = await claimAll();
    const late = first[0]?.webhook.channels[1]?.id;
    await settle(first, round === 0 ? again : { status: 'dead' }, late === undefined ? undefined : [late]);
  }
  await settle(await claimAll(), { status: 'dead' });

  await deliveries.publish(events({ type: 'gathers' }));
  await settle(await claimAll(), again);
  await settle(await claimAll(), { status: 'delivered' });

  await deliveries.publish(events({ type: 'gathers' }));
  await settle(await claimAll(), { status: 'split' });
  await settle(await claimAll(), { status: 'delivered' });

  const webhookOf = async (type: string) =>
    (await storage.webhooks.list('acme', { limit: 1, keys: [type] })).items[0]!;
  const namesOf = async (list: readonly NewEvent[]) => {
    const { channels } = await webhookOf(list[0]!.type);
    return list.map(({ id }) => deliveryId(id, channels[0]!.id));
  };

  const waiting = events({ type: 'one.5' });
  await deliveries.publish(waiting);
  await settle(await claimAll(), { status: 'pending', delayMs: 3_600_000 });
  await storage.log.transition('acme', await namesOf(waiting), 'due');
  await settle(await claimAll(), { status: 'delivered' });

  const switchTo = async (isActive: boolean) => {
    const { id, version } = await webhookOf('one.6');
    await storage.webhooks.update('acme', id, version, { isActive });
  };
  await switchTo(false);
  const missed = events({ type: 'one.6' });
  await deliveries.publish(missed);
  await switchTo(true);
  // The bounds skip the events of the burst. Ids of one millisecond are unordered.
  const [fromEventId] = missed.map(({ id }) => id).sort();
  const range = { eventType: 'one.6', fromEventId: fromEventId!, beforeEventId: 'evt_7V' };
  const selection = { ...range, status: [], isMissed: true as const };
  for (const isDryRun of [true, false]) {
    await storage.deliveries.backfill!('acme', selection, { limit: count, cursor: null, isDryRun });
  }
  await settle(await claimAll(), { status: 'delivered' });

  const moved = events({ type: 'one.4' });
  await deliveries.publish(moved);
  const names = await namesOf(moved);
  await log.transition('acme', names, 'pending');
  await log.transition('acme', names, 'cancelled');
  await log.transition('acme', names, 'pending');
  await settle(await claimAll(), { status: 'delivered' });
  await log.prune({ olderThanMs: -3_600_000 * 24, limit: count });

  // The storage has cached the targets by now, so these publishes use the quick statement: several events, and one
  // alone. They come last, because the deliveries they leave would disturb other statements.
  for (const prefetch of [undefined, options, begun]) {
    const type = 'one.1';
    for (const some of [[...events({ type }), newEvent({ type })], [newEvent({ type, namespaceId: 'n' })]]) {
      const { claims } = await deliveries.publish(some, prefetch && { prefetch });
      await settle(claims, { status: 'delivered' });
    }
  }
}
