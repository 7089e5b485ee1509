import { PosthornError } from '@posthorn/core';
import type { Claim, ClaimOptions, NewEvent, PublishResult } from '@posthorn/core/storage';
import { type Database, type Statement, statementsOf } from '../client/database.js';
import { few } from '../client/given-rows.js';
import type { Transaction } from '../client/queryable.js';
import { beginning, dateOf, msOf } from '../client/values.js';
import { batchOf, resultOf } from './batch.js';
import { HandOvers, idsText } from './hand-over.js';
import { newLease } from './leases.js';
import { advanceChains } from './ordering.js';
import { isCommon } from './quick-batch.js';
import { QuickPublisher, type QuickResult } from './quick-publish.js';
import type { ReadyWebhook } from './ready-webhooks.js';
import { type WithoutRemembered, withoutRemembered } from './remembered.js';
import { tenantRoomsIn } from './rooms.js';
import { encoded } from './store.js';
import { chainsHeld, lanesOf, leasedOf, type StoreAnswer } from './store-answer.js';
import { type Shape, storeText } from './store-text.js';
import type { WebhookCache } from './webhook-cache.js';

export interface PublishOptions {
  readonly tx?: Transaction;
  readonly prefetch?: ClaimOptions;
  readonly keyWaitMs?: number;
}

type StoreOptions = { readonly [Name in keyof PublishOptions]-?: PublishOptions[Name] | undefined } & {
  readonly lease: number;
  /** Whether similar events may use the quick statement with what this one returned. */
  readonly isPlain: boolean;
};

interface Stored {
  readonly claims: readonly Claim[];
  readonly at: Date;
}

type Result = Stored & { readonly published: readonly PublishResult[] };

export class Publisher {
  readonly #db: Database;
  readonly #onWaiting: (lanes: Iterable<ReadyWebhook>) => void;
  readonly #statement: (shape: Shape) => Statement;
  readonly #withoutRemembered: WithoutRemembered;
  readonly #earlier: Statement;
  readonly #savepoint: readonly Statement[];
  readonly #handOvers: HandOvers;
  readonly #quick: QuickPublisher;
  readonly #clock: Statement;

  /** `onWaiting` is called with the lanes of deliveries that are stored and not leased. */
  constructor(db: Database, webhooks: WebhookCache, onWaiting: (lanes: Iterable<ReadyWebhook>) => void) {
    this.#db = db;
    this.#onWaiting = onWaiting;
    this.#withoutRemembered = withoutRemembered(db);
    this.#earlier = db.statement(`
      select e.id, e.deliveries from json_to_recordset($1::json) as g(n integer, id text)
      cross join lateral (select id, deliveries from $.events where id = g.id offset 0) e
      where ${few('g.n')}`);
    this.#statement = statementsOf(db, storeText);
    this.#handOvers = new HandOvers(db, webhooks);
    this.#quick = new QuickPublisher(db);
    this.#clock = db.statement(`select ${msOf(beginning)} as at`);
    this.#savepoint = [
      'savepoint posthorn',
      'release savepoint posthorn',
      'rollback to savepoint posthorn',
    ].map((text) => db.statement(text));
  }

  async publish(
    events: readonly NewEvent[],
    { tx, prefetch, keyWaitMs }: PublishOptions = {},
  ): Promise<Result> {
    if (tx !== undefined && prefetch) {
      throw new PosthornError(
        'invalid_option',
        'publish takes tx or prefetch, not both: deliveries of a transaction that may roll back cannot be sent',
      );
    }
    if (events.length === 0) return { published: [], claims: [], at: await this.#now(tx) };
    const lease = prefetch ? newLease() : 0;
    // What a transaction sees of its own webhooks must not be cached.
    const isPlain = tx === undefined && events.every(isCommon);
    if (isPlain) {
      const quick = await this.#quick.publish(events, prefetch, lease);
      if (quick) return this.#handOver(events, quick, prefetch, lease);
    }
    for (let round = 0; round < 20; round++) {
      const results = new Map<NewEvent, PublishResult>();
      const batch = batchOf(events);
      const { fresh, isKeyed } = await this.#withoutRemembered(batch.events, results, tx);
      const stored = await this.#storeKeyed(fresh, isKeyed, results, {
        tx,
        prefetch,
        keyWaitMs,
        lease,
        isPlain,
      });
      // Another call took one of the keys meanwhile: it can be read now.
      if (!stored) continue;
      const published = events.map((event) => resultOf(event, batch, results));
      return { published, ...stored };
    }
    throw new PosthornError('storage_failed', 'other calls took the same idempotency keys each time');
  }

  async #handOver(
    events: readonly NewEvent[],
    { published, at, leased, waiting }: QuickResult,
    prefetch: ClaimOptions | undefined,
    lease: number,
  ): Promise<Result> {
    if (waiting.length > 0) this.#onWaiting(waiting);
    if (leased.length === 0) return { published, claims: [], at };
    const begunAt = prefetch?.isBegun ? at : undefined;
    const claims = await this.#handOvers.claims(events, leased, { lease, begunAt });
    if (!claims) {
      this.#onWaiting(
        leased.map(({ event, target }) => ({ tenantId: event.tenantId, webhookId: target.id })),
      );
    }
    return { published, claims: claims ?? [], at };
  }

  /** Stores the events. Resolves to undefined, with nothing stored, where another call took a key meanwhile. */
  async #storeKeyed(
    events: readonly NewEvent[],
    isKeyed: boolean,
    results: Map<NewEvent, PublishResult>,
    options: StoreOptions,
  ): Promise<Stored | undefined> {
    if (events.length === 0) return { claims: [], at: await this.#now(options.tx) };
    if (!isKeyed) return this.#store(events, false, results, options);
    const [save, release, rollback] = this.#savepoint as [Statement, Statement, Statement];
    // Keeps the caller's transaction usable when a key is taken.
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
    results: Map<NewEvent, PublishResult>,
    { tx, prefetch, keyWaitMs, lease, isPlain }: StoreOptions,
  ): Promise<Stored> {
    const { rows, sorts, bytes } = encoded(events);
    const isOrdered = events.some(({ orderingKey }) => orderingKey !== null);
    const values: unknown[] = [JSON.stringify(rows), JSON.stringify(sorts), bytes];
    if (prefetch) {
      const { limit, leaseMs, webhookLimit, webhookRoom } = prefetch;
      const rooms = [...webhookRoom].map(([webhook, room]) => ({ webhook, room }));
      values.push(lease, leaseMs, limit, webhookLimit, JSON.stringify(rooms));
    }
    const tenantRooms = prefetch ? tenantRoomsIn(sorts, prefetch) : [];
    const hasTenantRooms = tenantRooms.some(({ room }) => room < prefetch!.limit);
    if (hasTenantRooms) values.push(JSON.stringify(tenantRooms));
    const isBrief = isKeyed && tx === undefined && keyWaitMs !== undefined;
    if (isBrief) values.push(String(keyWaitMs));
    const statement = this.#statement({
      hasClaims: prefetch !== undefined,
      isBegun: prefetch?.isBegun === true,
      hasTenantRooms,
      isKeyed,
      isBrief,
      isOrdered,
      isInTransaction: tx !== undefined,
      tellsVersions: isPlain,
    });
    const [row] = await this.#db.run(statement, values, tx);
    const answer: StoreAnswer = JSON.parse(row!.answer);
    const at = dateOf(answer.at);
    if (isPlain) this.#quick.known.learn(sorts, answer);

    const counts = new Map<number, number>();
    for (const [sort] of answer.targets) counts.set(sort, (counts.get(sort) ?? 0) + 1);
    for (const [n, event] of events.entries()) {
      results.set(event, { eventId: event.id, deliveries: counts.get(rows[n]!.sort) ?? 0 });
    }
    const earlier = (answer.earlier ?? []).map((n) => events[n]!);
    if (earlier.length > 0) await this.#readEarlier(earlier, results, tx);
    if (tx) return { claims: [], at };
    // The events are stored, whatever fails from here on: a held delivery has its alarm, and goes a little later.
    if (isOrdered) await advanceChains(this.#db, chainsHeld(answer, events)).catch(() => []);
    const lanes = lanesOf(answer, sorts);
    if (answer.placed > answer.leased) this.#onWaiting(lanes);
    if (!prefetch) return { claims: [], at };
    const leased = leasedOf(events, rows, answer);
    const begunAt = prefetch.isBegun ? at : undefined;
    const claims = await this.#handOvers.claims(events, leased, { lease, begunAt }, earlier);
    if (!claims) this.#onWaiting(lanes);
    return { claims: claims ?? [], at };
  }

  /** Returns the time, where nothing was stored that would return it. */
  async #now(tx: Transaction | undefined): Promise<Date> {
    const [row] = await this.#db.run(this.#clock, [], tx);
    return dateOf(row!.at);
  }

  /** Returns the first results of events whose ids are stored already. */
  async #readEarlier(
    events: readonly NewEvent[],
    results: Map<NewEvent, PublishResult>,
    tx: Transaction | undefined,
  ): Promise<void> {
    const rows = await this.#db.run(this.#earlier, [idsText(events)], tx);
    const deliveries = new Map(rows.map((row) => [row.id, Number(row.deliveries)]));
    for (const event of events) {
      results.set(event, { eventId: event.id, deliveries: deliveries.get(event.id) ?? 0 });
    }
  }
}

const keyInUse = (cause: unknown): PosthornError =>
  new PosthornError(
    'idempotency_key_in_use',
    'an open transaction holds an idempotency key of this call; nothing was stored; end that transaction, or try again later',
    { cause },
  );
