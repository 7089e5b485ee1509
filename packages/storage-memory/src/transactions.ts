import { PosthornError } from '@posthorn/core';
import {
  checkFingerprint,
  describeType,
  firstBindings,
  type NewEvent,
  type NewWebhook,
  type PublishResult,
  type WebhookRecord,
} from '@posthorn/core/storage';
import type { Queue } from './deliveries.js';
import type { WebhookEntry } from './entries.js';
import { type Journal, keyOf } from './journal.js';
import { type FreshEvent, planOf } from './plan.js';
import type { WebhookTable } from './webhooks.js';

/**
 * A transaction of a memory storage: pass it as `tx`, in the place of your database's. What is written in it is visible
 * nowhere before `commit`. It holds the ids and the idempotency keys that it writes until it ends, as a database would.
 */
export interface MemoryTransaction {
  /** Stores what was written in it, at the time of the commit. Rejects with `invalid_option` after its end. */
  commit(): Promise<void>;
  /** Forgets what was written in it. Rejects with `invalid_option` after its end. */
  rollback(): Promise<void>;
}

/** An event that waits for its commit, with the bindings that its webhooks had when it was published. */
interface WaitingEvent extends FreshEvent {
  readonly bindings: ReadonlyMap<WebhookEntry, WebhookRecord['channels']>;
  readonly published: PublishResult;
}

class Transaction implements MemoryTransaction {
  readonly events: WaitingEvent[] = [];
  readonly webhooks: WebhookEntry[] = [];
  /** What it holds, as long as it is open. */
  readonly names = new Set<string>();
  /** The memory that is kept free for it. */
  bytes = 0;
  /** The transaction that holds what it waits for. */
  waitsFor: Transaction | undefined = undefined;
  readonly ended: Promise<void>;
  readonly #end: (transaction: Transaction, isCommitted: boolean) => void;
  #resolveEnded!: () => void;
  #state: 'open' | 'committed' | 'rolled back' = 'open';

  constructor(end: (transaction: Transaction, isCommitted: boolean) => void) {
    this.#end = end;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  async commit(): Promise<void> {
    this.#finish('committed');
  }

  async rollback(): Promise<void> {
    this.#finish('rolled back');
  }

  checkOpen(): void {
    if (this.#state !== 'open') throw invalid(`tx is over, it was ${this.#state}: begin another transaction`);
  }

  #finish(state: 'committed' | 'rolled back'): void {
    this.checkOpen();
    this.#state = state;
    this.#end(this, state === 'committed');
    this.#resolveEnded();
  }

  /** Returns the result of an earlier publish in this transaction. Throws `idempotency_conflict`. */
  earlier({ id, tenantId, type, idempotencyKey, fingerprint }: NewEvent): PublishResult | undefined {
    for (const { event, published } of this.events) {
      if (event.id === id) return published;
      const isSameKey = idempotencyKey !== undefined && event.idempotencyKey === idempotencyKey;
      if (!isSameKey || event.tenantId !== tenantId) continue;
      checkFingerprint({ type, fingerprint }, event.fingerprint);
      return published;
    }
    return undefined;
  }

  /** Returns the webhooks that were created in this transaction, and match. */
  matching(tenantId: string, keys: readonly string[]): WebhookEntry[] {
    return this.webhooks.filter(
      ({ record }) =>
        record.isActive &&
        record.tenantId === tenantId &&
        record.eventTypes.some((pattern) => keys.includes(pattern)),
    );
  }
}

/** What takes part in a transaction, and what waits for one. */
export interface Transactions {
  /** Whether one holds anything. Otherwise nothing need wait. */
  readonly areOpen: boolean;
  begin(): MemoryTransaction;
  createWebhook(webhook: NewWebhook, tx: MemoryTransaction): Promise<WebhookRecord>;
  publish(events: readonly NewEvent[], tx: MemoryTransaction): Promise<readonly PublishResult[]>;
  /** Resolves once no open transaction holds the id of the webhook. */
  webhookFree(webhook: NewWebhook): Promise<void>;
  /** Resolves once no open transaction holds an id or key of the events. Rejects with `idempotency_key_in_use`. */
  eventsFree(events: readonly NewEvent[], waitMs: number | undefined): Promise<void>;
}

export function openTransactions(journal: Journal, table: WebhookTable, queue: Queue): Transactions {
  /** Those of this storage, and of no other. */
  const begun = new WeakSet<Transaction>();
  /** By what they hold. */
  const holders = new Map<string, Transaction>();

  function end(transaction: Transaction, isCommitted: boolean): void {
    for (const name of transaction.names) holders.delete(name);
    journal.reserve(-transaction.bytes);
    if (!isCommitted) return;
    for (const webhook of transaction.webhooks) table.add(webhook);
    for (const waiting of transaction.events)
      queue.store(waiting, (webhook) => presentBindings(waiting, webhook));
  }

  function hold(transaction: Transaction, names: readonly string[]): void {
    for (const name of names) {
      transaction.names.add(name);
      holders.set(name, transaction);
    }
  }

  async function free(names: readonly string[], own?: Transaction, waitMs?: number): Promise<void> {
    const last = waitMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + waitMs;
    for (;;) {
      const holder = names.map((name) => holders.get(name)).find((one) => one && one !== own);
      if (!holder) return;
      if (own) checkDeadlock(own, holder);
      await endedBy(holder, last).finally(() => own && Object.assign(own, { waitsFor: undefined }));
    }
  }

  function given(tx: MemoryTransaction): Transaction {
    if (!(tx instanceof Transaction && begun.has(tx))) {
      throw invalid(`tx must be a transaction() of this storage, not ${describeType(tx)}`);
    }
    tx.checkOpen();
    return tx;
  }

  return {
    get areOpen() {
      return holders.size > 0;
    },
    begin() {
      const transaction = new Transaction(end);
      begun.add(transaction);
      return transaction;
    },

    async createWebhook(webhook, tx) {
      const transaction = given(tx);
      const names = [webhookName(webhook)];
      await free(names, transaction);
      transaction.checkOpen();
      const entry = table.prepare(webhook, transaction.webhooks);
      hold(transaction, names);
      transaction.webhooks.push(entry);
      return table.handOut(entry);
    },

    async publish(events, tx) {
      const transaction = given(tx);
      const names = events.flatMap(eventNames);
      await free(names, transaction);
      transaction.checkOpen();
      const plan = planOf(
        events,
        { earlier: (event) => transaction.earlier(event) ?? journal.earlier(event) },
        (tenantId, keys) => [...table.matching(tenantId, keys), ...transaction.matching(tenantId, keys)],
      );
      if (plan.fresh.length > 0) journal.makeRoom(plan.bytes, plan.keyBytes);
      const bytes = plan.bytes + plan.keyBytes;
      journal.reserve(bytes);
      transaction.bytes += bytes;
      for (const { event, matched } of plan.fresh) {
        const bindings = new Map(matched.map((webhook) => [webhook, firstBindings(webhook.record)]));
        const deliveries = [...bindings.values()].flat().length;
        const published = { eventId: event.id, deliveries };
        // A copy: the caller may change its own.
        const kept = { ...event, occurredAt: new Date(event.occurredAt) };
        transaction.events.push({ event: kept, matched, bindings, published });
        plan.results.set(event, published);
        hold(transaction, eventNames(event));
      }
      return events.map((event) => plan.results.get(plan.twins.get(event) ?? event)!);
    },

    webhookFree: (webhook) => free([webhookName(webhook)]),
    eventsFree: (events, waitMs) => free(events.flatMap(eventNames), undefined, waitMs),
  };
}

/** The bindings that had the event at its publish, with the settings that they have at the commit. */
function presentBindings({ bindings }: WaitingEvent, webhook: WebhookEntry): WebhookRecord['channels'] {
  return bindings.get(webhook)!.map((binding) => {
    const { digest: _, ...removed } = binding;
    return webhook.record.channels.find(({ id }) => id === binding.id) ?? removed;
  });
}

function checkDeadlock(own: Transaction, holder: Transaction): void {
  for (let each: Transaction | undefined = holder; each; each = each.waitsFor) {
    if (each !== own) continue;
    throw new PosthornError(
      'conflict',
      'deadlock: two transactions wait for each other; roll one of them back',
    );
  }
  own.waitsFor = holder;
}

async function endedBy({ ended }: Transaction, last: number): Promise<void> {
  if (last === Number.POSITIVE_INFINITY) return ended;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(inUse()), Math.max(0, last - performance.now()));
  });
  await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

const webhookName = ({ id }: NewWebhook): string => `webhook ${id}`;

const eventNames = ({ id, tenantId, idempotencyKey }: NewEvent): string[] =>
  idempotencyKey === undefined ? [`event ${id}`] : [`event ${id}`, `key ${keyOf(tenantId, idempotencyKey)}`];

const invalid = (message: string): PosthornError =>
  new PosthornError('invalid_option', message, { issues: [{ path: ['tx'], message }] });

const inUse = (): PosthornError =>
  new PosthornError(
    'idempotency_key_in_use',
    'an open transaction holds the idempotency key, and nothing was stored: try again when it has ended',
  );
