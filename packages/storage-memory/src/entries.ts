import {
  type Attempt,
  type ChannelBinding,
  type DeliveryStatus,
  deliveryId,
  type NewEvent,
  type WebhookRecord,
} from '@posthorn/core';

/*
 * What is held, in the leanest shape: pending deliveries are kept by the million. Instants are numbers (a Date
 * takes a hundred bytes more), ids are derived where they can be, and an event is shared by all its deliveries.
 */

export class WebhookEntry {
  record: WebhookRecord;
  /** Newer webhooks have a higher one. */
  readonly order: number;
  /** The publish call that matched it last: a webhook with two matching patterns counts once. */
  matchedIn = 0;
  /** Its deliveries that are due, first in first out, linked both ways. */
  head: DeliveryEntry | undefined = undefined;
  tail: DeliveryEntry | undefined = undefined;
  /** How many of its deliveries are not finished: without any, deleting it need not look for them. */
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
  /** How many of them it was published with. */
  published = 0;
  unfinished = 0;
  /** What it takes with its deliveries and attempts. */
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

/** An attempt with its instant as a number, and without the id of the delivery that holds it. */
export type AttemptEntry = Omit<Attempt, 'startedAt' | 'deliveryId'> & { readonly startedAt: number };

/** Field by field: copying the object would cost twenty times as much. */
export function attemptEntry(attempt: Attempt): AttemptEntry {
  const { id, number, startedAt, durationMs, outcome, kind, message, status, response } = attempt;
  return { id, number, startedAt: startedAt.getTime(), durationMs, outcome, kind, message, status, response };
}

/**
 * Deliveries that are sent as one message. In the queue `lead` stands for them: it is in no journal, waits, is leased and
 * has the memo, whichever of them leave.
 */
export interface Digest {
  readonly name: string;
  readonly lead: DeliveryEntry;
  /** In the order of publication. */
  readonly entries: Set<DeliveryEntry>;
}

/** Who has a delivery that is being sent. */
export interface Lease {
  readonly entry: DeliveryEntry;
  /** Where it stands, and a number that no other lease has. */
  readonly token: string;
  readonly place: number;
  /** Of what is sent: the delivery, or the digest that it led when the lease was opened. */
  readonly deliveryId: string;
  /** When its attempt began, if it has. */
  begunAt: number | undefined;
}

export class DeliveryEntry {
  readonly event: EventEntry;
  readonly webhook: WebhookEntry;
  readonly bindingId: string;
  readonly channel: string;
  status: DeliveryStatus = 'pending';
  attempts = 0;
  attemptsBefore = 0;
  /** When it is due while pending, when its lease ends while sending, when it became final after that. */
  at: number;
  /** While it is being sent. */
  lease: Lease | undefined = undefined;
  /** Its place in the alarm heap; -1 while it is not there. */
  slot = -1;
  /** Its neighbours in its webhook's lane. */
  previousInLane: DeliveryEntry | undefined = undefined;
  nextInLane: DeliveryEntry | undefined = undefined;
  log: readonly AttemptEntry[] | undefined = undefined;
  /** What the attempts until now left for the next. */
  memo: string | undefined = undefined;
  /** Whether it was made for a digest, and the one that it is sent in, or leads. */
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

  /** Whether it stands for a digest, and is no delivery itself. */
  get isLead(): boolean {
    return this.digest?.lead === this;
  }

  get isFinished(): boolean {
    return this.status !== 'pending' && this.status !== 'sending';
  }
}
