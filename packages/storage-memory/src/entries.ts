import type { Attempt, ChannelBinding, DeliveryStatus } from '@posthorn/core';
import { deliveryId, type NewEvent, type WebhookRecord } from '@posthorn/core/storage';

/*
 * The stored entries, in the leanest form: pending deliveries are kept by the million. Times are numbers (a Date takes
 * a hundred bytes more), ids are derived where possible, and an event is shared by all its deliveries.
 */

export class WebhookEntry {
  record: WebhookRecord;
  /** Newer webhooks have a higher number. */
  readonly order: number;
  /** The publish call that matched it last, so that a webhook with two matching patterns counts once. */
  matchedIn = 0;
  /** Its due deliveries, first in first out, as a doubly linked list. */
  head: DeliveryEntry | undefined = undefined;
  tail: DeliveryEntry | undefined = undefined;
  /** The number of unfinished deliveries. Where it is zero, deleting the webhook needs no search for them. */
  unfinished = 0;

  constructor(record: WebhookRecord, order: number) {
    this.record = record;
    this.order = order;
  }
}

const none: readonly DeliveryEntry[] = [];

export class EventEntry {
  readonly id: string;
  readonly tenantId: string;
  readonly type: string;
  readonly payload: string;
  readonly occurredAt: number;
  readonly namespaceId: string | null;
  readonly subject: { readonly type: string; readonly id: string } | null;
  readonly cacheScope: string | null;
  readonly orderingKey: string | null;
  /** In the order of publication. */
  readonly order: number;
  readonly publishedAt: number;
  deliveries: readonly DeliveryEntry[] = none;
  /** The number of deliveries with which it was published. */
  published = 0;
  unfinished = 0;
  /** The memory that it takes, with its deliveries and attempts. */
  bytes = 0;

  constructor(event: NewEvent, order: number, publishedAt: number) {
    this.id = event.id;
    this.tenantId = event.tenantId;
    this.type = event.type;
    this.payload = event.payload;
    this.occurredAt = event.occurredAt.getTime();
    this.namespaceId = event.namespaceId;
    this.subject = event.subject && Object.freeze({ ...event.subject });
    this.cacheScope = event.cacheScope;
    this.orderingKey = event.orderingKey;
    this.order = order;
    this.publishedAt = publishedAt;
  }
}

/** An attempt with its time as a number, and without the id of the delivery that has it. */
export type AttemptEntry = Omit<Attempt, 'startedAt' | 'deliveryId'> & { readonly startedAt: number };

/** Field by field: copying the object would cost twenty times as much. */
export function attemptEntry(attempt: Attempt): AttemptEntry {
  const { id, number, startedAt, durationMs, outcome, kind, message, status, response } = attempt;
  return { id, number, startedAt: startedAt.getTime(), durationMs, outcome, kind, message, status, response };
}

/**
 * Deliveries that are sent as one message. `lead` represents them in the queue: it is not in the journal. It waits, is
 * leased and has the checkpoint, whichever deliveries leave the digest.
 */
export interface Digest {
  readonly name: string;
  readonly lead: DeliveryEntry;
  /** In the order of publication. */
  readonly entries: Set<DeliveryEntry>;
}

/** The lease of a delivery in flight. */
export interface Lease {
  readonly entry: DeliveryEntry;
  /** The index of its place, and a number that no other lease has. */
  readonly token: string;
  readonly place: number;
  /** The delivery that is sent, or the digest that it led when the lease was opened. */
  readonly deliveryId: string;
  /** The time when its attempt began, if it has. */
  begunAt: number | undefined;
}

export class DeliveryEntry {
  readonly event: EventEntry;
  readonly webhook: WebhookEntry;
  readonly bindingId: string;
  readonly channel: string;
  status: DeliveryStatus = 'pending';
  attempts = 0;
  attemptsBeforeRetry = 0;
  /** The due time while pending, the end of the lease while sending, and the time when it finished after that. */
  at: number;
  /** Set while it is in flight. */
  lease: Lease | undefined = undefined;
  /** Its index in the alarm heap; -1 while it is not there. */
  slot = -1;
  /** Its neighbours in its webhook's lane. */
  previousInLane: DeliveryEntry | undefined = undefined;
  nextInLane: DeliveryEntry | undefined = undefined;
  log: readonly AttemptEntry[] | undefined = undefined;
  /** The checkpoint of the attempts so far for the next one. */
  checkpoint: string | undefined = undefined;
  /** Whether it was created for a digest; and the digest that it is sent in, or leads. */
  readonly isGathered: boolean;
  digest: Digest | undefined = undefined;

  constructor(
    event: EventEntry,
    webhook: WebhookEntry,
    binding: Pick<ChannelBinding, 'id' | 'channel' | 'digest'>,
    at: number,
    isGathered = binding.digest !== undefined,
  ) {
    this.event = event;
    this.webhook = webhook;
    this.bindingId = binding.id;
    this.channel = binding.channel;
    this.isGathered = isGathered;
    this.at = at;
  }

  get id(): string {
    return this.isLead ? this.digest!.name : deliveryId(this.event.id, this.bindingId);
  }

  /** Whether it represents a digest, and is not itself a delivery. */
  get isLead(): boolean {
    return this.digest?.lead === this;
  }

  get isFinished(): boolean {
    return this.status !== 'pending' && this.status !== 'sending';
  }
}
