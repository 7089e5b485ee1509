import { type NewEvent, PosthornError, type Published } from '@posthorn/core';
import { costOf } from './capacity.js';
import { DeliveryEntry, EventEntry, type WebhookEntry } from './entries.js';

const day = 86_400_000;

interface Remembered {
  readonly fingerprint: string | undefined;
  readonly published: Published;
  readonly at: number;
}

/** All events with their deliveries, the idempotency keys, and how much memory they take. */
export class Journal {
  readonly events = new Map<string, EventEntry>();
  /** Those with nothing unfinished, in the order they became so: the first to go when room is needed. */
  readonly #finished = new Set<EventEntry>();
  readonly #keys = new Map<string, Remembered>();
  readonly #maxBytes: number;
  readonly #now: () => number;
  #bytes = 0;
  #order = 0;

  constructor(maxBytes: number, now: () => number) {
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /** What an earlier call stored under the event's id or key. Throws `idempotency_conflict`. */
  earlier(event: NewEvent): Published | undefined {
    const stored = this.events.get(event.id);
    if (stored) return { eventId: stored.id, deliveries: stored.deliveries.length };
    if (event.idempotencyKey === undefined) return undefined;
    const remembered = this.#keys.get(keyOf(event.tenantId, event.idempotencyKey));
    if (!remembered || remembered.at + day < this.#now()) return undefined;
    if (remembered.fingerprint !== event.fingerprint) throw conflict(event);
    return remembered.published;
  }

  /** Makes sure that so much more can be held, and forgets finished events for it. Throws `storage_full`. */
  makeRoom(bytes: number): void {
    this.#forgetKeys();
    for (const event of this.#finished) {
      if (this.#bytes + bytes <= this.#maxBytes) return;
      this.forget(event);
    }
    if (this.#bytes + bytes > this.#maxBytes) {
      throw new PosthornError(
        'storage_full',
        `the memory storage holds ${this.#bytes} of ${this.#maxBytes} bytes that wait to be delivered`,
      );
    }
  }

  /** Stores what there is room for. */
  add(event: NewEvent, webhooks: readonly WebhookEntry[]): EventEntry {
    const now = this.#now();
    const entry = new EventEntry(event, ++this.#order, now);
    this.events.set(entry.id, entry);
    const deliveries = webhooks.flatMap((webhook) => {
      this.#count(entry, webhook, webhook.record.channels.length);
      return webhook.record.channels.map(
        ({ id, channel }) => new DeliveryEntry(entry, webhook, id, channel, now),
      );
    });
    // A copy is as long as it needs to be; an array that grew has places to spare.
    entry.deliveries = deliveries.slice();
    this.#order += deliveries.length;
    this.#bytes += costOf.event(entry) + deliveries.length * costOf.delivery;
    if (deliveries.length === 0) this.#finished.add(entry);
    if (event.idempotencyKey !== undefined) this.#remember(event, entry);
    return entry;
  }

  /** The delivery moved into a final status, or out of one. */
  finished(delivery: DeliveryEntry, isFinished: boolean): void {
    this.#count(delivery.event, delivery.webhook, isFinished ? -1 : 1);
  }

  attempted(bytes: number): void {
    this.#bytes += bytes;
  }

  forget(event: EventEntry): void {
    this.events.delete(event.id);
    this.#finished.delete(event);
    this.#bytes -= costOf.event(event) + event.deliveries.length * costOf.delivery;
    for (const { log } of event.deliveries) {
      for (const attempt of log ?? []) this.#bytes -= costOf.attempt(attempt);
    }
  }

  #count(event: EventEntry, webhook: WebhookEntry, more: number): void {
    event.unfinished += more;
    webhook.unfinished += more;
    if (event.unfinished === 0) this.#finished.add(event);
    else this.#finished.delete(event);
  }

  #remember({ tenantId, idempotencyKey, fingerprint }: NewEvent, entry: EventEntry): void {
    const key = keyOf(tenantId, idempotencyKey!);
    const published = { eventId: entry.id, deliveries: entry.deliveries.length };
    this.#keys.set(key, { fingerprint, published, at: entry.publishedAt });
    this.#bytes += costOf.key(key);
  }

  /** The keys lie in the order of their time. */
  #forgetKeys(): void {
    for (const [key, { at }] of this.#keys) {
      if (at + day >= this.#now()) return;
      this.#keys.delete(key);
      this.#bytes -= costOf.key(key);
    }
  }
}

/** Neither may hold control characters, so the pair is told apart. */
const keyOf = (tenantId: string, key: string): string => `${tenantId}\n${key}`;

export function conflict(event: NewEvent): PosthornError {
  return new PosthornError(
    'idempotency_conflict',
    `idempotency key of ${event.type} was used before, with another event; use a new key, or send the same event`,
  );
}
