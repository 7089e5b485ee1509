import {
  type Claim,
  type ClaimOptions,
  deliveryId,
  type Event,
  type NewEvent,
  PosthornError,
  type Published,
} from '@posthorn/core';
import type { Database, Statement } from './database.js';
import type { Lane } from './lanes.js';
import { newLease, tokenOf } from './leases.js';
import { advanceChains, type Chain, chainsOf } from './ordering.js';
import type { Transaction } from './queryable.js';
import type { WebhookCache } from './webhook-cache.js';

export interface PublishOptions {
  readonly tx?: Transaction;
  readonly claimFor?: ClaimOptions;
}

type Result = { readonly published: readonly Published[]; readonly claims: readonly Claim[] };

/** What an earlier call stored under an idempotency key. */
interface Remembered {
  readonly published: Published;
  readonly fingerprint: string;
}

/** Events as they go to Postgres, and which of them are one. */
interface Batch {
  /** Those to be stored; each id once, each key once. */
  readonly events: readonly NewEvent[];
  /** Keys of events in this call: by them a later one finds its twin. */
  readonly byKey: ReadonlyMap<string, NewEvent>;
  readonly byId: ReadonlyMap<string, NewEvent>;
}

export class Publisher {
  readonly #db: Database;
  readonly #webhooks: WebhookCache;
  readonly #onWaiting: (lanes: Iterable<Lane>) => void;
  readonly #statements = new Map<string, Statement>();
  readonly #remembered: Statement;
  readonly #earlier: Statement;
  readonly #savepoint: readonly Statement[];

  /** `onWaiting` is called with the lanes of what is stored and not leased. */
  constructor(db: Database, webhooks: WebhookCache, onWaiting: (lanes: Iterable<Lane>) => void) {
    this.#db = db;
    this.#webhooks = webhooks;
    this.#onWaiting = onWaiting;
    this.#remembered = db.statement(`
      select k.tenant_id, k.key, k.fingerprint, k.event_id, k.deliveries
      from json_to_recordset($1::json) as g(tenant text, key text)
      join $.idempotency_keys k on k.tenant_id = g.tenant and k.key = g.key
      where k.remembered_at >= $now - interval '24 hours'`);
    this.#earlier = db.statement(`
      select id, deliveries from $.events where id = any (select json_array_elements_text($1::json))`);
    this.#savepoint = [
      'savepoint posthorn',
      'release savepoint posthorn',
      'rollback to savepoint posthorn',
    ].map((text) => db.statement(text));
  }

  async publish(events: readonly NewEvent[], { tx, claimFor }: PublishOptions = {}): Promise<Result> {
    if (tx !== undefined && claimFor) {
      throw new PosthornError(
        'invalid_option',
        'publish takes tx or claimFor: what may vanish cannot be sent',
      );
    }
    if (events.length === 0) return { published: [], claims: [] };
    for (let round = 0; round < 20; round++) {
      const results = new Map<NewEvent, Published>();
      const batch = batchOf(events);
      const { fresh, isKeyed } = await this.#withoutRemembered(batch, results, tx);
      const stored = await this.#storeKeyed(fresh, isKeyed, results, { tx, claimFor });
      // Another call took one of the keys while this one was under way: it is remembered now.
      if (!stored) continue;
      const published = events.map((event) => resultOf(event, batch, results));
      return { published, claims: stored };
    }
    throw new PosthornError('storage_failed', 'other calls took the same idempotency keys each time');
  }

  /** The events that no earlier call stored under their keys. Throws `idempotency_conflict`. */
  async #withoutRemembered(
    { events }: Batch,
    results: Map<NewEvent, Published>,
    tx: Transaction | undefined,
  ): Promise<{ fresh: readonly NewEvent[]; isKeyed: boolean }> {
    const keyed = events.filter(({ idempotencyKey }) => idempotencyKey !== undefined);
    if (keyed.length === 0) return { fresh: events, isKeyed: false };
    const keys = keyed.map(({ tenantId, idempotencyKey }) => ({ tenant: tenantId, key: idempotencyKey }));
    const rows = await this.#db.run(this.#remembered, [JSON.stringify(keys)], tx);
    const known = new Map<string, Remembered>(
      rows.map((row) => [
        keyOf(row.tenant_id, row.key),
        { published: { eventId: row.event_id, deliveries: row.deliveries }, fingerprint: row.fingerprint },
      ]),
    );
    const fresh = events.filter((event) => {
      const earlier = known.get(keyOf(event.tenantId, event.idempotencyKey ?? ''));
      if (event.idempotencyKey === undefined || !earlier) return true;
      if (earlier.fingerprint !== event.fingerprint) throw conflict(event);
      results.set(event, earlier.published);
      return false;
    });
    return { fresh, isKeyed: fresh.some(({ idempotencyKey }) => idempotencyKey !== undefined) };
  }

  /** Stores, or resolves to undefined, with nothing stored, where a key was taken meanwhile. */
  async #storeKeyed(
    events: readonly NewEvent[],
    isKeyed: boolean,
    results: Map<NewEvent, Published>,
    options: { tx: Transaction | undefined; claimFor: ClaimOptions | undefined },
  ): Promise<readonly Claim[] | undefined> {
    if (events.length === 0) return [];
    if (!isKeyed) return this.#store(events, false, results, options);
    const [save, release, rollback] = this.#savepoint as [Statement, Statement, Statement];
    // So that the caller's transaction is not lost with a key that was.
    if (options.tx) await this.#db.run(save, [], options.tx);
    try {
      const claims = await this.#store(events, true, results, options);
      if (options.tx) await this.#db.run(release, [], options.tx);
      return claims;
    } catch (error) {
      if (options.tx) await this.#db.run(rollback, [], options.tx);
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      if (code === 'PH001') return undefined;
      throw error;
    }
  }

  async #store(
    events: readonly NewEvent[],
    isKeyed: boolean,
    results: Map<NewEvent, Published>,
    { tx, claimFor }: { tx: Transaction | undefined; claimFor: ClaimOptions | undefined },
  ): Promise<readonly Claim[]> {
    const { rows, sorts, bytes } = encoded(events);
    const isOrdered = events.some(({ orderingKey }) => orderingKey !== null);
    const lease = claimFor ? newLease() : 0;
    const values: unknown[] = [JSON.stringify(rows), JSON.stringify(sorts), bytes];
    if (claimFor) {
      const { limit, leaseMs, webhookLimit, inFlight } = claimFor;
      const flying = [...inFlight].map(([webhook, count]) => ({ webhook, count }));
      values.push(lease, leaseMs, limit, webhookLimit, JSON.stringify(flying));
    }
    const statement = this.#statement({ hasClaims: claimFor !== undefined, isKeyed, isOrdered });
    const [row] = await this.#db.run(statement, values, tx);
    const answer: StoreAnswer = JSON.parse(row!.answer);

    const counts = new Map<number, number>();
    for (const [sort] of answer.targets) counts.set(sort, (counts.get(sort) ?? 0) + 1);
    for (const [n, event] of events.entries()) {
      results.set(event, { eventId: event.id, deliveries: counts.get(rows[n]!.sort) ?? 0 });
    }
    if (answer.earlier)
      await this.#readEarlier(
        answer.earlier.map((n) => events[n]!),
        results,
        tx,
      );
    if (isOrdered && !tx) await advanceChains(this.#db, chainsOfAnswer(answer, events));
    const total = rows.reduce((sum, { sort }) => sum + (counts.get(sort) ?? 0), 0);
    if (!tx && total > (answer.leased?.length ?? 0)) this.#onWaiting(lanesOf(answer, sorts));
    if (!answer.leased) return [];
    const webhooks = await this.#webhooks.read(
      answer.leased.map(([, t]) => ({ id: answer.targets[t]![1], version: answer.targets[t]![2] })),
    );
    return answer.leased.map(([n, t]) => {
      const event = events[n]!;
      const [, webhookId, , bindingId] = answer.targets[t]!;
      const id = deliveryId(event.id, bindingId);
      const token = tokenOf(lease, id);
      return {
        deliveryId: id,
        token,
        attempt: 1,
        attemptsBefore: 0,
        event: eventOf(event),
        ...webhooks.parts(webhookId, event.tenantId, bindingId),
      };
    });
  }

  /** Events whose ids are stored already: their first results. */
  async #readEarlier(
    events: readonly NewEvent[],
    results: Map<NewEvent, Published>,
    tx: Transaction | undefined,
  ): Promise<void> {
    const rows = await this.#db.run(this.#earlier, [JSON.stringify(events.map(({ id }) => id))], tx);
    const deliveries = new Map(rows.map((row) => [row.id, row.deliveries]));
    for (const event of events) {
      results.set(event, { eventId: event.id, deliveries: deliveries.get(event.id) ?? 0 });
    }
  }

  #statement(shape: Shape): Statement {
    const key = JSON.stringify(shape);
    const known = this.#statements.get(key);
    if (known) return known;
    const made = this.#db.statement(storeText(shape));
    this.#statements.set(key, made);
    return made;
  }
}

/** What a call holds decides what its statement has to do. */
interface Shape {
  readonly hasClaims: boolean;
  readonly isKeyed: boolean;
  readonly isOrdered: boolean;
}

interface StoreAnswer {
  /** Which events were stored before; null where none was. */
  readonly earlier: readonly number[] | null;
  /** Sort of event, webhook, its version, binding. */
  readonly targets: readonly (readonly [number, string, number, string])[];
  /** Event and target of each delivery that came back leased. */
  readonly leased: readonly (readonly [number, number])[] | null;
}

/**
 * One statement: matches, stores events and deliveries, leases what the caller has room for. `$1` holds the events,
 * `$2` each pair of tenant and type once with the patterns that cover it, `$3` all payloads in one piece.
 */
function storeText({ hasClaims, isKeyed, isOrdered }: Shape): string {
  return `
    with given as materialized (
      select * from json_to_recordset($1::json) as g(
        n integer, id text, sort integer, start integer, length integer, at float8, namespace text,
        "subjectType" text, "subjectId" text, scope text, ordering text, key text, fingerprint text)
    ), sorts as materialized (
      select * from json_to_recordset($2::json) as s(sort integer, tenant text, type text, keys text[])
    ), matched as materialized (
      select distinct s.sort, s.tenant, m.webhook_id
      from sorts s cross join lateral (
        select u.webhook_id from $.subscriptions u where u.tenant_id = s.tenant and u.pattern = any (s.keys) offset 0
      ) m
    ), targets as materialized (
      select row_number() over () - 1 as t, m.sort, m.tenant, m.webhook_id, w.version, b.binding_id, b.channel
      from matched m cross join lateral (
        select version, binding_ids, binding_channels from $.webhooks where id = m.webhook_id and is_active offset 0
      ) w cross join lateral unnest(w.binding_ids, w.binding_channels) as b(binding_id, channel)
    ), counts as materialized (
      select s.sort, (select count(*) from targets t where t.sort = s.sort)::integer as deliveries from sorts s
    )${
      isKeyed
        ? `, keyed as (
      insert into $.idempotency_keys as k (tenant_id, key, fingerprint, event_id, deliveries, remembered_at)
      select s.tenant, g.key, g.fingerprint, g.id, c.deliveries, $now
      from given g join sorts s using (sort) join counts c using (sort) where g.key is not null
      order by s.tenant, g.key
      on conflict (tenant_id, key) do update
        set fingerprint = excluded.fingerprint, event_id = excluded.event_id,
          deliveries = excluded.deliveries, remembered_at = excluded.remembered_at
        where k.remembered_at < $now - interval '24 hours'
      returning key
    )`
        : ''
    }, stored as (
      insert into $.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries,
        namespace_id, subject_type, subject_id, cache_scope, ordering_key)
      select g.id, s.tenant, s.type, convert_from(substring($3::bytea from g.start for g.length), 'UTF8'),
        to_timestamp(g.at / 1000), $now, c.deliveries,
        g.namespace, g."subjectType", g."subjectId", g.scope, g.ordering
      from given g join sorts s using (sort) join counts c using (sort)
      order by g.n
      on conflict (id) do nothing
      returning id
    )${
      hasClaims
        ? `, rooms as materialized (
      select w.webhook_id, case when (
          -- Where others have waited for long, nobody overtakes them.
          select true from $.queue q where q.is_ready and q.tenant_id = w.tenant and q.webhook_id = w.webhook_id
            and q.due_at < $now - interval '1 second' limit 1
        ) then 0 else $7::integer - coalesce(f.count, 0) end as room
      from (select distinct tenant, webhook_id from targets) w
      left join json_to_recordset($8::json) as f(webhook text, count integer) on f.webhook = w.webhook_id
    )`
        : ''
    }, fresh as materialized (
      select g.n, g.id, g.ordering, t.t, t.tenant, t.webhook_id, t.binding_id, t.channel,
        ${
          isOrdered
            ? `g.ordering is not null and (
          row_number() over (partition by t.binding_id, g.ordering order by g.n) > 1 or coalesce((
            select true from $.queue q
            where q.binding_id = t.binding_id and q.ordering_key = g.ordering and not q.yields limit 1), false)) as is_held,
        case when g.ordering is not null then nextval('$.queue_position') end as position`
            : 'false as is_held, null::bigint as position'
        }
      from stored join given g using (id) join targets t using (sort)
      order by g.n, t.t
    )${
      hasClaims
        ? `, turns as materialized (
      select f.n, f.t, row_number() over (partition by f.webhook_id order by f.n, f.t) as turn, r.room
      from fresh f join rooms r using (webhook_id)
      where not f.is_held${isOrdered ? ' and f.ordering is null' : ''}
    ), leased as materialized (
      select n, t from turns where turn <= room order by turn, n, t limit $6::integer
    )`
        : ''
    }, queued as (
      insert into $.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, lease, position,
        attempts, attempts_before, is_ready, is_held, yields, ordering_key)
      select f.id, f.binding_id, f.tenant, f.webhook_id, f.channel,
        ${
          hasClaims
            ? `case when l.n is not null then $now + $5::float8 * interval '1 millisecond'
          when f.is_held then $now + interval '5 seconds' else $now end,
        case when l.n is not null then $4::bigint end, f.position,
        case when l.n is not null then 1 else 0 end, 0, l.n is null and not f.is_held`
            : `case when f.is_held then $now + interval '5 seconds' else $now end,
        null, f.position, 0, 0, not f.is_held`
        }, f.is_held, false, f.ordering
      from fresh f${hasClaims ? ' left join leased l on l.n = f.n and l.t = f.t' : ''}
      order by f.n, f.t
    )
    select json_build_object(
      'earlier', (select json_agg(g.n) from given g where not exists (select from stored s where s.id = g.id)),
      'targets', (select coalesce(json_agg(json_build_array(sort, webhook_id, version, binding_id) order by t), '[]')
        from targets),
      'leased', ${hasClaims ? '(select json_agg(json_build_array(n, t) order by n, t) from leased)' : 'null'}
    )::text as answer${
      isKeyed
        ? `,
      case when (select count(*) from keyed) < (select count(*) from given where key is not null)
        then $.refuse() end`
        : ''
    }`;
}

/** The events as `$1` to `$3`: payloads are text by the kilobyte, and cost least as one piece of bytes. */
function encoded(events: readonly NewEvent[]) {
  const sortOf = new Map<string, number>();
  const sorts: { sort: number; tenant: string; type: string; keys: readonly string[] }[] = [];
  let start = 1;
  const rows = events.map((event, n) => {
    const { tenantId, type, keys, subject } = event;
    const name = keyOf(tenantId, type);
    let sort = sortOf.get(name);
    if (sort === undefined) {
      sort = sorts.length;
      sortOf.set(name, sort);
      sorts.push({ sort, tenant: tenantId, type, keys });
    }
    const length = Buffer.byteLength(event.payload);
    const row = {
      n,
      id: event.id,
      sort,
      start,
      length,
      at: event.occurredAt.getTime(),
      namespace: event.namespaceId ?? undefined,
      subjectType: subject?.type,
      subjectId: subject?.id,
      scope: event.cacheScope ?? undefined,
      ordering: event.orderingKey ?? undefined,
      key: event.idempotencyKey,
      fingerprint: event.fingerprint,
    };
    start += length;
    return row;
  });
  const bytes = Buffer.allocUnsafe(start - 1);
  for (const [n, event] of events.entries()) bytes.write(event.payload, rows[n]!.start - 1);
  return { rows, sorts, bytes };
}

function batchOf(events: readonly NewEvent[]): Batch {
  const byId = new Map<string, NewEvent>();
  const byKey = new Map<string, NewEvent>();
  const unique = events.filter((event) => {
    const { id, tenantId, idempotencyKey } = event;
    const key = idempotencyKey === undefined ? undefined : keyOf(tenantId, idempotencyKey);
    const twin = byId.get(id) ?? (key === undefined ? undefined : byKey.get(key));
    if (twin) {
      if (twin.fingerprint !== event.fingerprint) throw conflict(event);
      return false;
    }
    byId.set(id, event);
    if (key !== undefined) byKey.set(key, event);
    return true;
  });
  return { events: unique, byId, byKey };
}

function resultOf(event: NewEvent, { byId, byKey }: Batch, results: Map<NewEvent, Published>): Published {
  const own = results.get(event);
  if (own) return own;
  const twin = byId.get(event.id) ?? byKey.get(keyOf(event.tenantId, event.idempotencyKey ?? ''));
  return results.get(twin!)!;
}

function lanesOf({ targets }: StoreAnswer, sorts: readonly { readonly tenant: string }[]): Lane[] {
  return targets.map(([sort, webhookId]) => ({ tenantId: sorts[sort]!.tenant, webhookId }));
}

function chainsOfAnswer({ targets }: StoreAnswer, events: readonly NewEvent[]): Chain[] {
  return chainsOf(
    events.flatMap(({ orderingKey }) =>
      orderingKey === null ? [] : targets.map(([, , , bindingId]) => ({ bindingId, orderingKey })),
    ),
  );
}

/** What a claim holds of an event: field by field, because copying the rest would be most of a dispatch. */
function eventOf(event: NewEvent): Event {
  const { id, tenantId, type, payload, occurredAt, namespaceId, subject, cacheScope, orderingKey } = event;
  return {
    id,
    tenantId,
    type,
    payload,
    occurredAt: new Date(occurredAt),
    namespaceId,
    subject: subject && { ...subject },
    cacheScope,
    orderingKey,
  };
}

/** Neither may hold control characters, so the pair is told apart. */
const keyOf = (tenantId: string, key: string): string => `${tenantId}\n${key}`;

function conflict(event: NewEvent): PosthornError {
  return new PosthornError(
    'idempotency_conflict',
    `idempotency key of ${event.type} was used before, with another event; use a new key, or send the same event`,
  );
}
