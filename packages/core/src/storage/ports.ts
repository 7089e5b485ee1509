import type { Attempt } from '../models/delivery.js';
import type { WebhookEvent } from '../models/event.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { Backfilled, BackfillOptions, BackfillSelection } from './backfill.js';
import type { DocumentStore } from './document-store.js';
import type { DeliveryLog } from './log-port.js';
import type { NextState } from './next-state.js';
import type { WebhookRecord, WebhookStore } from './webhook-store.js';

/*
 * The port of a storage: what the engine expects of it. The conformance suite of @posthorn/testing tests an adapter.
 *
 * For every method:
 * - `tenantId` limits what is read and written, without exception.
 * - Returned values are copies or frozen, so that callers cannot change what is stored.
 * - A rejection with a PosthornError reaches the caller unchanged. Any other becomes `storage_failed`.
 * - Time is the storage's own clock.
 */

/** The optional capabilities of a storage. Default of each: false. */
export interface StorageSupport {
  /** Whether it gathers digests. Without it a binding with `digest` is refused. */
  readonly digests?: boolean;
  /**
   * Whether it has `documents`. Without it there are no replays and no API keys, and an application that serves the
   * management API has to authenticate with a function of its own.
   */
  readonly documents?: boolean;
  /** Whether it has `deliveries.backfill`. Needs `documents`. Without it there are no replays. */
  readonly replays?: boolean;
  /** Whether `publish` and `webhooks.create` take part in the application's transaction. Without it `tx` is refused. */
  readonly transactions?: boolean;
}

/** Stores webhooks, events, deliveries and attempts, and is the queue of deliveries. */
export interface StorageAdapter<Tx = never> {
  /** Its optional capabilities. */
  readonly supports: StorageSupport;
  /** Whether everything is lost when the process ends, so that encryption at rest is pointless. Default false. */
  readonly isVolatile?: boolean;
  readonly webhooks: WebhookStore<Tx>;
  /** The queue. */
  readonly deliveries: DeliveryStore<Tx>;
  /** The history. */
  readonly log: DeliveryLog;
  /** Present if `supports.documents` is true. */
  readonly documents?: DocumentStore;
}

/** An event to publish. */
export interface NewEvent extends WebhookEvent {
  /** Every pattern that covers its type, and the type itself. A webhook matches if it has at least one of them. */
  readonly matchingPatterns: readonly string[];
  /**
   * Stored for its tenant for at least 24 hours. A bounded storage may delete the oldest keys sooner, and documents
   * that.
   */
  readonly idempotencyKey?: string;
  /** Equal for equal events. Given with the idempotency key. */
  readonly fingerprint?: string;
}

/** The result of publishing one event. */
export interface PublishResult {
  /** The id of the event, or of the earlier event with the same idempotency key. */
  readonly eventId: string;
  /** How many deliveries it has: one for each channel binding of each active webhook that matched. */
  readonly deliveries: number;
}

/** How much one claim may take. */
export interface ClaimOptions {
  /** The most claims, 1 or more. */
  readonly limit: number;
  /** The duration of the leases. */
  readonly leaseMs: number;
  /** The most claims for each webhook that is not in `webhookRoom`. */
  readonly webhookLimit: number;
  /** The most claims for a webhook, by webhook id: 0 or more. A number may be below or above `webhookLimit`. */
  readonly webhookRoom: ReadonlyMap<string, number>;
  /** The most claims for all webhooks of each tenant that is not in `tenantRoom`. Default: no limit. */
  readonly tenantLimit?: number;
  /** The most claims for a tenant, by tenant id: 0 or more. Default: empty. */
  readonly tenantRoom?: ReadonlyMap<string, number>;
  /**
   * Whether first attempts may begin with the claim, as if `begin` had been called; such a claim has `begunAt`. Never
   * for a delivery with `lostAt`, or one that was attempted since the last manual retry. Default false.
   */
  readonly isBegun?: boolean;
}

/** One leased delivery, with everything that is needed to send it. For a digest, the id is made by {@link digestId}. */
export interface Claim {
  readonly deliveryId: string;
  /**
   * Identifies the lease. Valid until the delivery is claimed again, settled, cancelled or deleted. The token of a
   * digest is valid while that of any of its deliveries would be.
   */
  readonly token: string;
  /** The number of the attempt that is about to begin, or has begun with the claim. 1 for the first. */
  readonly attempt: number;
  /** When the attempt began, if it began with the claim. */
  readonly begunAt?: Date;
  /** How many attempts came before the last manual retry. */
  readonly attemptsBeforeRetry: number;
  /** How many attempts since the last manual retry do not count for the retry schedule. Default 0. */
  readonly uncounted?: number;
  readonly event: WebhookEvent;
  /** The webhook with its present bindings. */
  readonly webhook: Pick<WebhookRecord, 'id' | 'tenantId' | 'name' | 'secrets' | 'channels'>;
  /** The binding as it is now. Undefined if it was removed from the webhook. */
  readonly binding: ChannelBinding | undefined;
  /**
   * Why the webhook cannot be read: its stored record is damaged. The claim then has no data of the webhook, and the
   * attempt fails as `config`. The deliveries of other webhooks are not affected.
   */
  readonly unreadable?: string;
  /** What the channel left for this attempt in earlier ones. */
  readonly checkpoint?: string;
  /** The events of a digest, in the order of publication. `event` is the first of them. */
  readonly digest?: readonly WebhookEvent[];
  /**
   * When the previous attempt began, if its result was never written because its worker was lost. A manual retry may
   * have come since. Each claim reports it until a result other than `released` is written.
   */
  readonly lostAt?: Date;
  /**
   * Since when the delivery, or the digest, is deferred: when it was first `released` with a delay, moved later by the
   * time in which it was due and unclaimed. Null if it is not deferred. Every result ends the deferral except `released` and
   * `pending` with `isRateLimited`; a manual retry ends it, too.
   *
   * May be left out by a storage that does not record it, and in claims that `publish` returns. The delivery then
   * counts as deferred since the event was made: the deferral stays limited, but an old event is given up sooner than
   * it should.
   */
  readonly deferredSince?: Date | null;
}

/** The result of a claim. */
export interface Settlement {
  readonly claim: Pick<Claim, 'deliveryId' | 'token' | 'event' | 'digest'>;
  /** The next state of the delivery; for a digest, of each of its deliveries. */
  readonly next: NextState;
  /**
   * The attempt to record; for a digest, with each of its deliveries. Left out if nothing was sent: an attempt that has
   * begun is then not counted.
   */
  readonly attempt?: Attempt;
  /** The ids of bindings of the same webhook, with `onlyAfter`, whose deliveries of the event begin now. */
  readonly escalateTo?: readonly string[];
}

/** The queue of deliveries: the hot path. */
export interface DeliveryStore<Tx = never> {
  /**
   * Stores the events with their deliveries, due at once: all of them or, if it rejects, none.
   * - A binding with `onlyAfter` gets no delivery yet. Deliveries of a binding with `digest` gather.
   * - An event changes nothing and has the first result if its id is already stored, or if its idempotency key is
   *   stored with the same fingerprint. With another fingerprint, it rejects with `idempotency_conflict`.
   * - Rejects with `storage_full` if the storage is at its limit.
   * - With `prefetch`, and never with `tx`, deliveries may be returned already claimed, as by `claim`.
   * - With `tx`, all writes commit or roll back with the caller's transaction.
   * - If an open transaction holds the idempotency key, the call waits for it. With `keyWaitMs`, and never with `tx`,
   *   it waits no longer than that, and then rejects with `idempotency_key_in_use`.
   *
   * Resolves to the results in order, the claims, and `at`: the storage's time of the publication.
   */
  publish(
    events: readonly NewEvent[],
    options?: { readonly tx?: Tx; readonly prefetch?: ClaimOptions; readonly keyWaitMs?: number },
  ): Promise<{
    readonly published: readonly PublishResult[];
    readonly claims: readonly Claim[];
    readonly at: Date;
  }>;
  /**
   * Leases deliveries of active webhooks that are due or whose lease has expired, each with a new token.
   * - Two calls never get the same delivery.
   * - Without `isBegun`, no attempt begins. A claim whose attempt never begins leaves no trace once its lease has
   *   expired.
   * - Tenants take turns, and so do the webhooks of each tenant. Within a webhook, the delivery that was due first is
   *   first.
   * - Among deliveries to one binding whose events have the same ordering key, none is claimed while another is
   *   `sending`, or while an earlier one is unfinished and does not yield.
   *
   * Deliveries of a binding with `digest` gather until the first of them is as old as the window, or there are
   * `maxEvents` of them, or their payloads have `maxBytes`.
   * - Then the earliest ones, as many as fit and at least one, form one digest, in one claim. They stay together: a
   *   later claim of the digest has the same ones.
   * - The digest has its own id, checkpoint and lease. A delivery that is cancelled leaves it; the others stay.
   * - The present settings of the binding decide: the window counts from the first delivery. If the binding has no
   *   `digest` any more, or was removed, each gathered delivery is due at once, by itself.
   */
  claim(options: ClaimOptions): Promise<readonly Claim[]>;
  /**
   * Begins the attempts of the claims whose lease lasts for more than `leftMs`, and counts them. From then on an
   * attempt has happened, even if its result is never written. Resolves to those claims, in order, and to the storage's
   * time, which is when they began. Only these claims may be sent. A second call for the same claim changes nothing. A
   * call without claims reads the storage's time.
   */
  begin(
    claims: readonly Claim[],
    leftMs: number,
  ): Promise<{ readonly begun: readonly Claim[]; readonly at: Date }>;
  /**
   * Extends each lease whose token is still valid to `leaseMs` from now. Resolves to those claims. A token is valid
   * until the delivery is claimed again, settled, cancelled or deleted, even if its lease expired in between.
   */
  renew(claims: readonly Claim[], leaseMs: number): Promise<readonly Claim[]>;
  /**
   * Writes each result whose token is still valid: appends the attempt, sets the next state, and creates the deliveries
   * of `escalateTo` that do not exist yet. Each result is written as a whole or not at all. Resolves in order to whether
   * each one was written.
   */
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>;
  /**
   * Creates the missing deliveries of the selected events: those that the events would get if they were published to
   * the tenant's present webhooks. Present if `supports.replays` is true.
   * - One for each channel binding without `onlyAfter` of each active webhook with a pattern that covers the event's
   *   type (`matchKeys`).
   * - They begin as after publishing: due at once, or gathering. With an ordering key, they come after the deliveries
   *   that already have it.
   * - The oldest events come first. A call reads a bounded number of events, and returns the cursor for the next call.
   * - A call creates all of its deliveries or, if it rejects, none.
   * - An event has one delivery to a binding, however often this is called, also where a concurrent call creates it and
   *   it is delivered before this call reaches it.
   */
  backfill?(tenantId: string, selection: BackfillSelection, options: BackfillOptions): Promise<Backfilled>;
}

/**
 * Notifies the workers of other processes that a delivery may be due. These are only hints: after a lost hint, the next
 * poll finds the delivery.
 */
export interface Notifier {
  /** Sends a hint to the other processes. */
  notify(): Promise<void>;
  /**
   * Calls `onHint` for every hint, and whenever hints may have been lost. Resolves to a function that stops listening.
   */
  listen(onHint: () => void): Promise<() => Promise<void>>;
}
