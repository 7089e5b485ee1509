import type { Attempt } from '../models/delivery.js';
import type { Event } from '../models/event.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { Backfilled, BackfillOptions, BackfillSelection } from './backfill.js';
import type { DocumentStore } from './document-store.js';
import type { DeliveryLog } from './log-port.js';
import type { NextState } from './next-state.js';
import type { WebhookRecord, WebhookStore } from './webhook-store.js';

/*
 * The ports: what the engine asks of a storage and of a channel. The suites in @posthorn/testing prove an adapter.
 *
 * For every method of a storage: `tenantId` limits what is seen and written, without exception. What is handed out
 * is a copy or frozen, so that nobody can change what is stored. A rejection with a PosthornError reaches the
 * caller as it is; any other becomes `storage_failed`. Time is the storage's own clock.
 */

/** What a storage can do beyond what each must. What is left out is false. */
export interface StorageSupport {
  /** Whether it gathers digests. Without it no binding can ask for one. */
  readonly digests?: boolean;
  /**
   * Whether it has `documents`. Without it there are no replays and no API keys: whoever serves the API brings an
   * authentication of their own.
   */
  readonly documents?: boolean;
  /** Whether it has `deliveries.backfill`; needs `documents`. Without it nothing can be replayed by a filter. */
  readonly replays?: boolean;
  /** Whether `publish` and `webhooks.create` take part in the application's transaction. Without it `tx` is refused. */
  readonly transactions?: boolean;
}

export interface Storage<Tx = never> {
  readonly supports: StorageSupport;
  /** Whether everything is gone when the process ends, so that there is nothing to encrypt. Default false. */
  readonly isVolatile?: boolean;
  readonly webhooks: WebhookStore<Tx>;
  readonly deliveries: DeliveryStore<Tx>;
  readonly log: DeliveryLog;
  /** Where `supports.documents` says so. */
  readonly documents?: DocumentStore;
}

export interface NewEvent extends Event {
  /** Every pattern that covers its type: a webhook matches if it holds one of them. */
  readonly keys: readonly string[];
  /** Remembered for its tenant for 24 hours at least; a storage that is bounded may let the oldest go sooner, and says so. */
  readonly idempotencyKey?: string;
  /** Equal for equal events; given with the key. */
  readonly fingerprint?: string;
}

export interface Published {
  /** The event stored under the idempotency key, or the event itself. */
  readonly eventId: string;
  /** How many deliveries it has: one for each channel binding of each active webhook that matched. */
  readonly deliveries: number;
}

export interface ClaimOptions {
  /** At most so many claims, 1 or more. */
  readonly limit: number;
  /** How long they are the caller's alone. */
  readonly leaseMs: number;
  /** At most this many for each webhook that `webhookRoom` does not name. */
  readonly webhookLimit: number;
  /** At most this many for a webhook, by its id: 0 or more. It may be less than the limit, or more. */
  readonly webhookRoom: ReadonlyMap<string, number>;
  /** At most this many for all webhooks of a tenant that `tenantRoom` does not name. Left out: any number. */
  readonly tenantLimit?: number;
  /** As `webhookRoom`, by tenant id. Left out: names none. */
  readonly tenantRoom?: ReadonlyMap<string, number>;
  /**
   * Whether first attempts may begin with it, as `begin` would have said; those that do have `begunAt`. Never those of
   * what is `lostAt`, or was tried since the last manual retry. Default false.
   */
  readonly isBegun?: boolean;
}

/** One delivery, leased, and all that is needed to send it. A digest goes by its name, which {@link digestId} makes. */
export interface Claim {
  readonly deliveryId: string;
  /** Good until the delivery is claimed again, settled, cancelled or deleted; of a digest, until all of it is. */
  readonly token: string;
  /** The number of the attempt that is to begin, or has begun with the claim; 1 for the first. */
  readonly attempt: number;
  /** When the attempt began, where it did with the claim. */
  readonly begunAt?: Date;
  /** How many attempts lie before the last manual retry. */
  readonly attemptsBefore: number;
  /** How many attempts since then the schedule leaves out. Left out: none. */
  readonly uncounted?: number;
  readonly event: Event;
  /** With its bindings as they are now. */
  readonly webhook: Pick<WebhookRecord, 'id' | 'tenantId' | 'name' | 'secrets' | 'channels'>;
  /** As it is now; undefined where the webhook has dropped it since. */
  readonly binding: ChannelBinding | undefined;
  /**
   * Why the webhook cannot be read, where what is stored of it is damaged: nothing of it is in the claim then, and the
   * attempt fails as `config`. Other webhooks' deliveries are claimed as ever.
   */
  readonly unreadable?: string;
  /** What the attempts before this one left for it. */
  readonly memo?: string;
  /** Of a digest that gathered, all its events in the order of publication, `event` being the first. */
  readonly digest?: readonly Event[];
  /**
   * When the attempt before this one began, where whoever began it was lost before writing how it went; a manual retry may
   * have come since. Each
   * claim says so until a result is written, other than `released`.
   */
  readonly lostAt?: Date;
  /**
   * Since when it is put off: when it was first `released` with a delay, later by whatever time it was due after that and
   * nobody claimed it; of a digest, the digest. Null where it is not: any result ends that but `released` and a `pending`
   * that `isBusy`, and so does a manual retry. Left out by a storage that does not know, and maybe in a hand-over: then it
   * counts as put off since the event was made: none is for ever, but an old event is given up sooner than it should be.
   */
  readonly putOffSince?: Date | null;
}

export interface Settlement {
  readonly claim: Pick<Claim, 'deliveryId' | 'token' | 'event' | 'digest'>;
  /** Of a digest, it is what becomes of each of its deliveries. */
  readonly next: NextState;
  /** What happened; left out where nothing was sent, and then an attempt that has begun is not counted. Of a digest, each of its deliveries has it on record. */
  readonly attempt?: Attempt;
  /** The ids of bindings of the same webhook, with `onlyAfter`, whose deliveries of the event begin with this. */
  readonly begin?: readonly string[];
}

/** The hot path; this is the queue. */
export interface DeliveryStore<Tx = never> {
  /**
   * Stores the events and their deliveries, due at once: all of them or, where it rejects, none. Bindings with
   * `onlyAfter` get none yet; those with `digest` gather theirs. An event whose id
   * is stored already, or whose key is remembered with the same fingerprint, changes nothing and has the first
   * result. Rejects with `idempotency_conflict` where the fingerprint is another, `storage_full` at the cap.
   * With `claimFor`, and never with `tx`, deliveries may come back already claimed, as `claim` would have done.
   * With `tx` all of it commits or vanishes with the caller's transaction. A key that a transaction holds which is still
   * open is waited for; with `keyWaitMs`, and never with `tx`, no longer than that: then it rejects with
   * `idempotency_key_in_use`. `at` is the time of it.
   */
  publish(
    events: readonly NewEvent[],
    options?: { readonly tx?: Tx; readonly claimFor?: ClaimOptions; readonly keyWaitMs?: number },
  ): Promise<{
    readonly published: readonly Published[];
    readonly claims: readonly Claim[];
    readonly at: Date;
  }>;
  /**
   * Leases deliveries that are due, or whose lease is over, of active webhooks, and makes a fresh token. Without `isBegun`
   * no attempt begins with it: what is claimed and never begun is as it was before when its lease is over. Two calls never get the same delivery. Tenants take turns, and so do the webhooks of each; within a
   * webhook, what was due first goes first. Of the deliveries to one channel binding whose events have the same
   * ordering key, none is claimed while another is `sending`, or an earlier one is not finished and does not yield.
   *
   * Deliveries of a binding with `digest` gather until the first of them is as old as its window, or there are
   * `maxEvents`, or as many bytes of payload as `maxBytes`. Then the earliest, as many as fit and at least one, are one digest, in one claim, and stay together: a later claim has
   * the same ones. Name, memo and lease are the digest's: whichever is cancelled leaves it, and the others go on. What
   * gathers goes by what its binding says now: its window ends so long after the first, and without `digest`, or without
   * the binding, each is due at once, by itself.
   */
  claim(options: ClaimOptions): Promise<readonly Claim[]>;
  /**
   * Begins the attempts of claims whose lease has more than `leftMs` left, and counts them: from now on each has happened,
   * also where nobody ever says how it went. Resolves to those claims, in order, and to the time, which is when they began:
   * each may be sent. The others may not. A second call for the same claim changes nothing. Without claims it tells the time.
   */
  begin(
    claims: readonly Claim[],
    leftMs: number,
  ): Promise<{ readonly begun: readonly Claim[]; readonly at: Date }>;
  /**
   * Moves the end of each lease whose token still holds to `leaseMs` from now; resolves to those claims. A token holds
   * until the delivery is claimed again, settled, cancelled or deleted, also where the lease was over in between.
   */
  renew(claims: readonly Claim[], leaseMs: number): Promise<readonly Claim[]>;
  /**
   * Writes each result whose token still holds: appends the attempt, moves the delivery on, and begins others where the
   * result says so, for which there is none yet: all or nothing. Resolves in order: true for those, false for others.
   */
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>;
  /**
   * Where `supports.replays` says so. Makes the deliveries that the events in `selection` would have by the tenant's
   * webhooks as they are now, and do not have: one for each channel binding without `onlyAfter` of each active webhook that holds a pattern which covers the
   * event's type (`matchKeys`). They begin as publishing begins them: due at once, or gathering; with an ordering key behind
   * what is there with that. The oldest events come first. A call looks at a bounded number of events and says where to go on;
   * it makes all of its deliveries or, where it rejects, none. Of an event to a binding there is one delivery, however often
   * it is called, and also where another call makes it meanwhile and it is delivered before this one comes to it.
   */
  backfill?(tenantId: string, selection: BackfillSelection, options: BackfillOptions): Promise<Backfilled>;
}

/**
 * Tells the workers of other processes that something may be due. A hint, and no more: one that is lost costs a poll,
 * never a delivery.
 */
export interface Notifier {
  notify(): Promise<void>;
  /** Calls `onHint` for every hint, and whenever hints may have been lost; resolves to what ends it. */
  listen(onHint: () => void): Promise<() => Promise<void>>;
}
