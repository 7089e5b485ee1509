import {
  type Claim,
  type ClaimOptions,
  deliveryId,
  type Event,
  type NewEvent,
  PosthornError,
  type Published,
} from '@posthorn/core';
import { batchOf, resultOf } from './batch.js';
import type { Database, Statement } from './database.js';
import { few } from './given-rows.js';
import type { Lane } from './lanes.js';
import { newLease, type Release, releaser, tokenOf } from './leases.js';
import { advanceChains } from './ordering.js';
import type { Transaction } from './queryable.js';
import { type WithoutRemembered, withoutRemembered } from './remembered.js';
import {
  chainsOfAnswer,
  encoded,
  type Leased,
  lanesOf,
  leasedOf,
  type Shape,
  type StoreAnswer,
  storeText,
} from './store.js';
import { beginning, dateOf, msOf } from './values.js';
import { stampOf, type WebhookCache } from './webhook-cache.js';

export interface PublishOptions {
  readonly tx?: Transaction;
  readonly claimFor?: ClaimOptions;
  readonly keyWaitMs?: number;
}

type StoreOptions = { readonly [Name in keyof PublishOptions]-?: PublishOptions[Name] | undefined };

interface Stored {
  readonly claims: readonly Claim[];
  readonly at: Date;
}

type Result = Stored & { readonly published: readonly Published[] };

export class Publisher {
  readonly #db: Database;
  readonly #webhooks: WebhookCache;
  readonly #onWaiting: (lanes: Iterable<Lane>) => void;
  readonly #statements = new Map<string, Statement>();
  readonly #withoutRemembered: WithoutRemembered;
  readonly #earlier: Statement;
  readonly #leased: Statement;
  readonly #savepoint: readonly Statement[];
  readonly #release: Release;
  readonly #clock: Statement;

  /** `onWaiting` is called with the lanes of what is stored and not leased. */
  constructor(db: Database, webhooks: WebhookCache, onWaiting: (lanes: Iterable<Lane>) => void) {
    this.#db = db;
    this.#webhooks = webhooks;
    this.#onWaiting = onWaiting;
    this.#withoutRemembered = withoutRemembered(db);
    this.#earlier = db.statement(`
      select e.id, e.deliveries from json_to_recordset($1::json) as g(n integer, id text)
      cross join lateral (select id, deliveries from $.events where id = g.id offset 0) e
      where ${few('g.n')}`);
    this.#leased = db.statement(`
      select q.event_id, q.binding_id, q.webhook_id, ${stampOf('w')} as stamp
      from json_to_recordset($1::json) as g(n integer, id text)
      cross join lateral (select * from $.queue where event_id = g.id and lease = $2::bigint offset 0) q
      cross join lateral (select position, version from $.webhooks where id = q.webhook_id offset 0) w
      where ${few('g.n')}`);
    this.#release = releaser(db);
    this.#clock = db.statement(`select ${msOf(beginning)} as at`);
    this.#savepoint = [
      'savepoint posthorn',
      'release savepoint posthorn',
      'rollback to savepoint posthorn',
    ].map((text) => db.statement(text));
  }

  async publish(
    events: readonly NewEvent[],
    { tx, claimFor, keyWaitMs }: PublishOptions = {},
  ): Promise<Result> {
    if (tx !== undefined && claimFor) {
      throw new PosthornError(
        'invalid_option',
        'publish takes tx or claimFor: what may vanish cannot be sent',
      );
    }
    if (events.length === 0) return { published: [], claims: [], at: await this.#now(tx) };
    for (let round = 0; round < 20; round++) {
      const results = new Map<NewEvent, Published>();
      const batch = batchOf(events);
      const { fresh, isKeyed } = await this.#withoutRemembered(batch.events, results, tx);
      const stored = await this.#storeKeyed(fresh, isKeyed, results, { tx, claimFor, keyWaitMs });
      // Another call took one of the keys while this one was under way: it is remembered now.
      if (!stored) continue;
      const published = events.map((event) => resultOf(event, batch, results));
      return { published, ...stored };
    }
    throw new PosthornError('storage_failed', 'other calls took the same idempotency keys each time');
  }

  /** Stores, or resolves to undefined, with nothing stored, where a key was taken meanwhile. */
  async #storeKeyed(
    events: readonly NewEvent[],
    isKeyed: boolean,
    results: Map<NewEvent, Published>,
    options: StoreOptions,
  ): Promise<Stored | undefined> {
    if (events.length === 0) return { claims: [], at: await this.#now(options.tx) };
    if (!isKeyed) return this.#store(events, false, results, options);
    const [save, release, rollback] = this.#savepoint as [Statement, Statement, Statement];
    // So that the caller's transaction is not lost with a key that was.
    if (options.tx) await this.#db.run(save, [], options.tx);
    try {
      const stored = await this.#store(events, true, results, options);
      if (options.tx) await this.#db.run(release, [], options.tx);
      return stored;
    } catch (error) {
      if (options.tx) await this.#db.run(rollback, [], options.tx);
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      if (code === 'PH001') return undefined;
      if (code === '55P03' && options.keyWaitMs !== undefined) throw keyInUse(error);
      throw error;
    }
  }

  async #store(
    events: readonly NewEvent[],
    isKeyed: boolean,
    results: Map<NewEvent, Published>,
    { tx, claimFor, keyWaitMs }: StoreOptions,
  ): Promise<Stored> {
    const { rows, sorts, bytes } = encoded(events);
    const isOrdered = events.some(({ orderingKey }) => orderingKey !== null);
    const lease = claimFor ? newLease() : 0;
    const values: unknown[] = [JSON.stringify(rows), JSON.stringify(sorts), bytes];
    if (claimFor) {
      const { limit, leaseMs, webhookLimit, inFlight } = claimFor;
      const flying = [...inFlight].map(([webhook, count]) => ({ webhook, count }));
      values.push(lease, leaseMs, limit, webhookLimit, JSON.stringify(flying));
    }
    const tenantRooms = claimFor ? tenantRoomsIn(sorts, claimFor) : [];
    const hasTenantRooms = tenantRooms.some(({ room }) => room < claimFor!.limit);
    if (hasTenantRooms) values.push(JSON.stringify(tenantRooms));
    const isBrief = isKeyed && tx === undefined && keyWaitMs !== undefined;
    if (isBrief) values.push(String(keyWaitMs));
    const statement = this.#statement({
      hasClaims: claimFor !== undefined,
      isBegun: claimFor?.isBegun === true,
      hasTenantRooms,
      isKeyed,
      isBrief,
      isOrdered,
      isInTransaction: tx !== undefined,
    });
    const [row] = await this.#db.run(statement, values, tx);
    const answer: StoreAnswer = JSON.parse(row!.answer);
    const at = dateOf(answer.at);

    const counts = new Map<number, number>();
    for (const [sort] of answer.targets) counts.set(sort, (counts.get(sort) ?? 0) + 1);
    for (const [n, event] of events.entries()) {
      results.set(event, { eventId: event.id, deliveries: counts.get(rows[n]!.sort) ?? 0 });
    }
    const earlier = (answer.earlier ?? []).map((n) => events[n]!);
    if (earlier.length > 0) await this.#readEarlier(earlier, results, tx);
    if (tx) return { claims: [], at };
    // What is stored is published, whatever fails from here on: what is held has its alarm, and goes a little later.
    if (isOrdered) await advanceChains(this.#db, chainsOfAnswer(answer, events)).catch(() => {});
    const lanes = lanesOf(answer, sorts);
    if (answer.placed > answer.leased) this.#onWaiting(lanes);
    if (!claimFor) return { claims: [], at };
    try {
      const leased = leasedOf(events, rows, answer);
      // Stored by a first try of this very call, whose answer was lost: what it leased is still the caller's.
      if (earlier.length > 0) leased.push(...(await this.#leasedBefore(earlier, lease)));
      return { claims: await this.#claimsOf(leased, lease, claimFor.isBegun ? at : undefined), at };
    } catch {
      await this.#release(lease, events);
      this.#onWaiting(lanes);
      return { claims: [], at };
    }
  }

  /** The time, where nothing was stored that would tell it. */
  async #now(tx: Transaction | undefined): Promise<Date> {
    const [row] = await this.#db.run(this.#clock, [], tx);
    return dateOf(row!.at);
  }

  async #leasedBefore(events: readonly NewEvent[], lease: number): Promise<Leased[]> {
    const byId = new Map(events.map((event) => [event.id, event]));
    const rows = await this.#db.run(this.#leased, [idsText(events), lease]);
    return rows.map((row) => ({
      event: byId.get(row.event_id)!,
      target: { id: row.webhook_id, stamp: row.stamp, bindingId: row.binding_id },
    }));
  }

  async #claimsOf(
    leased: readonly Leased[],
    lease: number,
    begunAt: Date | undefined,
  ): Promise<readonly Claim[]> {
    if (leased.length === 0) return [];
    const webhooks = await this.#webhooks.read(leased.map(({ target }) => target));
    return leased.map(({ event, target: { id: webhookId, bindingId } }) => {
      const id = deliveryId(event.id, bindingId);
      return {
        deliveryId: id,
        token: tokenOf(lease, id),
        attempt: 1,
        ...(begunAt && { begunAt }),
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
    const rows = await this.#db.run(this.#earlier, [idsText(events)], tx);
    const deliveries = new Map(rows.map((row) => [row.id, Number(row.deliveries)]));
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

const keyInUse = (cause: unknown): PosthornError =>
  new PosthornError(
    'idempotency_key_in_use',
    'a transaction that is still open holds an idempotency key of this call; nothing was stored: end that transaction, or try again later',
    { cause },
  );

/** How much each tenant of these events has room for. */
function tenantRoomsIn(
  sorts: readonly { readonly tenant: string }[],
  { limit, tenantLimit = limit, tenantsInFlight }: ClaimOptions,
): { tenant: string; room: number }[] {
  return [...new Set(sorts.map(({ tenant }) => tenant))].map((tenant) => ({
    tenant,
    room: Math.min(tenantLimit - (tenantsInFlight?.get(tenant) ?? 0), limit),
  }));
}

const idsText = (events: readonly NewEvent[]): string =>
  JSON.stringify(events.map(({ id }, n) => ({ n, id })));

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
