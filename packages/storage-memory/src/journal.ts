import { PosthornError } from '@posthorn/core';
import {
  firstBindings,
  keyRetentionMs,
  type NewEvent,
  type PublishResult,
  type RememberedKey,
  repeatedResult,
  type WebhookRecord,
} from '@posthorn/core/storage';
import { costOf } from './capacity.js';
import { type AttemptEntry, DeliveryEntry, EventEntry, type WebhookEntry } from './entries.js';

/** All events with their deliveries, the idempotency keys, and the memory that they take. */
export class Journal {
  readonly events = new Map<string, EventEntry>();
  /**
   * Events without unfinished deliveries, in the order they finished: the first to be deleted when space is needed.
   */
  readonly #finished = new Set<EventEntry>();
  readonly #keys = new Map<string, RememberedKey>();
  readonly #maxBytes: number;
  /** Keys are kept for a day: without a limit, they would fill the storage where no delivery waits. */
  readonly #maxKeyBytes: number;
  readonly #now: () => number;
  /** The memory that everything takes; of it, what could be deleted, and the idempotency keys. */
  #bytes = 0;
  #finishedBytes = 0;
  #keyBytes = 0;
  #order = 0;

  constructor(maxBytes: number, now: () => number) {
    this.#maxBytes = maxBytes;
    this.#maxKeyBytes = maxBytes / 4;
    this.#now = now;
  }

  /** Returns the result of an earlier call with the event's id or key. Throws `idempotency_conflict`. */
  earlier(event: NewEvent): PublishResult | undefined {
    const stored = this.events.get(event.id);
    if (stored) return { eventId: stored.id, deliveries: stored.published };
    if (event.idempotencyKey === undefined) return undefined;
    const remembered = this.#keys.get(keyOf(event.tenantId, event.idempotencyKey));
    return repeatedResult(event, remembered, this.#now());
  }

  /**
   * Ensures space for `bytes` more, of which `keyBytes` are for idempotency keys. Deletes finished events for it, no
   * more than necessary. Throws `storage_full`, and deletes nothing, where that is not enough.
   */
  makeRoom(bytes: number, keyBytes: number): void {
    this.#forgetKeys();
    // Keys beyond their share replace older keys.
    const more = bytes + Math.min(keyBytes, Math.max(0, this.#maxKeyBytes - this.#keyBytes));
    if (!this.#couldHold(more)) {
      const lasting = this.#bytes - this.#finishedBytes;
      throw new PosthornError(
        'storage_full',
        `the memory storage may hold ${this.#maxBytes} bytes: ${lasting} are taken by what waits to be delivered and by idempotency keys, and ${Math.ceil(more)} more do not fit`,
      );
    }
    this.#forgetFinished(more);
  }

  /** Keeps bytes free for what an open transaction will store; negative ones are given back. */
  reserve(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Stores an event with a delivery to each of the bindings. There must be space for it. */
  add(
    event: NewEvent,
    webhooks: readonly WebhookEntry[],
    bindingsOf = (webhook: WebhookEntry): WebhookRecord['channels'] => firstBindings(webhook.record),
  ): EventEntry {
    const now = this.#now();
    const entry = new EventEntry(event, ++this.#order, now);
    this.events.set(entry.id, entry);
    const deliveries = webhooks.flatMap((webhook) => {
      const bindings = bindingsOf(webhook);
      entry.unfinished += bindings.length;
      webhook.unfinished += bindings.length;
      return bindings.map((binding) => new DeliveryEntry(entry, webhook, binding, now));
    });
    // A copy has the exact length; an array that grew has spare capacity.
    entry.deliveries = deliveries.slice();
    entry.published = deliveries.length;
    this.#grow(entry, costOf.event(event) + deliveries.length * costOf.delivery);
    this.#sort(entry);
    if (event.idempotencyKey !== undefined) this.#remember(event, entry);
    return entry;
  }

  /**
   * Adds a delivery of `event` to a binding that waited for another one. Returns undefined where there is one already.
   */
  begin(event: EventEntry, webhook: WebhookEntry, bindingId: string): DeliveryEntry | undefined {
    const binding = webhook.record.channels.find(({ id }) => id === bindingId);
    if (!binding || event.deliveries.some((delivery) => delivery.bindingId === bindingId)) return undefined;
    const delivery = new DeliveryEntry(event, webhook, binding, this.#now());
    event.deliveries = [...event.deliveries, delivery];
    this.finished(delivery, false);
    this.#grow(event, costOf.delivery);
    return delivery;
  }

  /** Records that the delivery moved into a final status, or out of one. */
  finished(delivery: DeliveryEntry, isFinished: boolean): void {
    const more = isFinished ? -1 : 1;
    delivery.event.unfinished += more;
    delivery.webhook.unfinished += more;
    this.#sort(delivery.event);
  }

  /**
   * Adds the attempt to the delivery's log. Where there is no space, adds it without its texts, which are most of it.
   */
  attempted(delivery: DeliveryEntry, attempt: AttemptEntry): void {
    const entry = this.#couldHold(costOf.attempt(attempt))
      ? attempt
      : { ...attempt, message: null, response: null };
    const bytes = costOf.attempt(entry);
    this.#forgetFinished(bytes);
    delivery.log = delivery.log ? [...delivery.log, entry] : [entry];
    this.#grow(delivery.event, bytes);
  }

  forget(event: EventEntry): void {
    this.events.delete(event.id);
    if (this.#finished.delete(event)) this.#finishedBytes -= event.bytes;
    this.#bytes -= event.bytes;
  }

  #grow(event: EventEntry, bytes: number): void {
    event.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Adds the event to the finished ones, or removes it from them. */
  #sort(event: EventEntry): void {
    const isFinished = event.unfinished === 0;
    if (isFinished === this.#finished.has(event)) return;
    if (isFinished) this.#finished.add(event);
    else this.#finished.delete(event);
    this.#finishedBytes += isFinished ? event.bytes : -event.bytes;
  }

  #couldHold(more: number): boolean {
    return this.#bytes - this.#finishedBytes + more <= this.#maxBytes;
  }

  #forgetFinished(more: number): void {
    for (const event of this.#finished) {
      if (this.#bytes + more <= this.#maxBytes) return;
      this.forget(event);
    }
  }

  #remember({ tenantId, idempotencyKey, fingerprint }: NewEvent, entry: EventEntry): void {
    const key = keyOf(tenantId, idempotencyKey!);
    const published = { eventId: entry.id, deliveries: entry.deliveries.length };
    this.#forgetKey(key);
    this.#keys.set(key, { fingerprint, published, at: entry.publishedAt });
    this.#growKeys(costOf.key(key));
    for (const oldest of this.#keys.keys()) {
      if (this.#keyBytes <= this.#maxKeyBytes) return;
      this.#forgetKey(oldest);
    }
  }

  /** The keys are in the order of their time. */
  #forgetKeys(): void {
    for (const [key, { at }] of this.#keys) {
      if (at + keyRetentionMs >= this.#now()) return;
      this.#forgetKey(key);
    }
  }

  #forgetKey(key: string): void {
    if (this.#keys.delete(key)) this.#growKeys(-costOf.key(key));
  }

  #growKeys(bytes: number): void {
    this.#keyBytes += bytes;
    this.#bytes += bytes;
  }
}

/** Neither part may contain control characters, so the pair is unambiguous. */
export const keyOf = (tenantId: string, key: string): string => `${tenantId}\n${key}`;
