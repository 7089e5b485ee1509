import pRetry from 'p-retry';
import { decide, type Next, type OrderingPolicy, type RetryPolicy, yieldsAfter } from './decide.js';
import { nextOfTooLarge } from './digest.js';
import type { PosthornError } from './errors.js';
import { escalationsOf } from './escalation.js';
import { gather } from './gather.js';
import { deliveryId, firstEventId, type Ids } from './ids.js';
import type { Announcer, DeliveryFacts } from './lifecycle.js';
import type { Attempt, Event } from './models.js';
import { Patience } from './patience.js';
import type { Claim, DeliveryStore, Settlement } from './ports.js';
import { attemptRecord, type BoundClaim, type Sending, type SendOptions, send } from './send.js';
import { type Busy, failed, type Verdict } from './verdict.js';

export interface DelivererOptions extends SendOptions {
  readonly deliveries: Pick<DeliveryStore, 'settle'>;
  readonly retry: RetryPolicy;
  readonly ordering: OrderingPolicy;
  readonly leaseMs: number;
  readonly ids: Ids;
  readonly now: () => number;
  readonly random: () => number;
  readonly announcer: Announcer;
  /** Called when a retry was written, with how long it waits, or another delivery has begun. */
  readonly onRetry: (delayMs: number) => void;
  /** Pauses the webhook whose only receiver is gone. */
  readonly disable: (webhook: Claim['webhook'], reason: string) => Promise<void>;
}

/** A claimed delivery on its way. */
export interface Flight {
  readonly claim: Claim;
  /** Resolves when its result is written, or nobody can write it any more. Never rejects. */
  readonly landed: Promise<void>;
  /**
   * Ends the attempt: `released` gives the delivery back uncounted, unless its channel says in a moment that it is
   * delivered; `lost` leaves it to whoever has it now.
   */
  end(why: 'released' | 'lost'): void;
}

export interface Deliverer {
  /** Sends, decides, settles, announces. */
  deliver(claim: Claim): Flight;
  /** Gives back what was never started. */
  release(claim: Claim): Flight;
}

/** What becomes of a claim, and what was tried. */
interface Result {
  readonly next: Next;
  readonly attempt?: Attempt;
  /** Why the receiver is gone for good. */
  readonly gone?: string;
}

/** So long a receiver may say that it is busy: after that it is as good as down. */
const maxBusyMs = 86_400_000;
/** How long a channel may take to say how it went when a stop's grace time is over. */
const momentMs = 250;
const maxSettlements = 500;
/** A result is worth many tries: 16 seconds of them, about as long as its lease may have left. */
const writeRetries = { retries: 8, minTimeout: 100, maxTimeout: 5_000 };

export function deliverer(options: DelivererOptions): Deliverer {
  const { deliveries, retry, ordering, ids, now, random } = options;
  const { announcer, onRetry, disable } = options;
  const patience = new Patience(now, random);

  // Patient, so that the results of one turn of the event loop are one write.
  const settle = gather(
    (settlements: readonly Settlement[]) => insist(() => deliveries.settle(settlements)),
    {
      maxItems: maxSettlements,
      isPatient: true,
    },
  );

  /** What is written is insisted on, what is sent never: a result that is not recorded is a delivery made twice. */
  async function insist<Result>(onWriting: () => Promise<Result>): Promise<Result> {
    try {
      return await onWriting();
    } catch (error) {
      announcer.announce('error', () => error as PosthornError);
      return pRetry(onWriting, writeRetries);
    }
  }

  /** A claim that must not be sent: its binding is gone, or workers died at it as often as it may be tried. */
  function unsendable({ attempt, attemptsBefore, binding, unreadable }: Claim): Next | undefined {
    if (!binding && unreadable === undefined) return { status: 'cancelled' };
    return attempt - attemptsBefore > retry.scheduleMs.length + 1 ? { status: 'dead' } : undefined;
  }

  function nextOf(claim: Claim, verdict: Verdict): Next {
    const { attempt, attemptsBefore, event } = claim;
    const tooLarge = nextOfTooLarge(claim, verdict);
    if (tooLarge) return { status: tooLarge, ...memoOf(verdict) };
    const tries = attempt - attemptsBefore;
    const next = decide(verdict, tries, retry, random());
    const isBehind = next.status === 'pending' && event.orderingKey !== null;
    return {
      ...next,
      ...(isBehind && { yields: yieldsAfter(tries, next.delayMs, retry, ordering) }),
      ...memoOf(verdict),
    };
  }

  /** Who is to hear of it now that this one has failed. */
  function beginningAfter(
    { attempt, attemptsBefore, binding, webhook }: Claim,
    next: Next,
  ): readonly string[] {
    if (!binding || (next.status !== 'pending' && next.status !== 'dead')) return [];
    const tries = next.status === 'dead' ? Number.POSITIVE_INFINITY : attempt - attemptsBefore;
    return escalationsOf(binding, webhook.channels, tries);
  }

  async function record(claim: Claim, result: Result): Promise<void> {
    const { next, attempt, gone } = result;
    try {
      const begin = beginningAfter(claim, next);
      const [isHeld] = await settle([
        { claim, next, ...(attempt && { attempt }), ...(begin.length > 0 && { begin }) },
      ]);
      if (isHeld && 'delayMs' in next && next.delayMs !== undefined) onRetry(next.delayMs);
      if (isHeld && next.status === 'split') onRetry(0);
      if (isHeld && begin.length > 0) onRetry(0);
      announce(claim, isHeld ? next : { status: 'lost' }, attempt);
      // Where the webhook reaches others, it goes on for them.
      const isOnlyChannel = claim.webhook.channels.length === 1;
      if (isHeld && gone !== undefined && isOnlyChannel) await insist(() => disable(claim.webhook, gone));
    } catch (error) {
      announcer.announce('error', () => error as PosthornError);
    }
  }

  function announce(claim: Claim, next: Next | { status: 'lost' }, attempt: Attempt | undefined): void {
    for (const event of claim.digest ?? [claim.event]) {
      const facts = () => factsOf(claim, event, attempt);
      if (next.status === 'pending' || next.status === 'split') {
        const retryInMs = next.status === 'split' ? 0 : next.delayMs;
        announcer.announce('delivery:failed', () => ({ ...facts(), retryInMs }));
      } else if (next.status === 'released' && next.delayMs !== undefined) {
        const retryInMs = next.delayMs;
        announcer.announce('delivery:postponed', () => ({ ...facts(), retryInMs }));
      } else announcer.announce(`delivery:${next.status}`, facts);
    }
  }

  /** What the verdict means for the delivery and its log. `startedAt` is the attempt's. */
  function resultOf(claim: BoundClaim, said: Verdict, startedAt: Date, durationMs: number): Result {
    const sentAt = startedAt.getTime();
    if (said.outcome === 'delivered') patience.delivered(claim, sentAt);
    if (said.outcome === 'busy') {
      const delayMs = patience.busy(claim, said.retryAfterMs, sentAt);
      const isOld = claim.event.id < firstEventId(now() - maxBusyMs);
      if (!isOld) return { next: { status: 'released', delayMs, ...memoOf(said) } };
    }
    const verdict = said.outcome === 'busy' ? asFailed(said) : said;
    return {
      next: nextOf(claim, verdict),
      attempt: attemptRecord(ids.attempt(), claim, startedAt, verdict, durationMs),
      ...(verdict.outcome === 'gone' && { gone: verdict.message }),
    };
  }

  function damaged(claim: Claim, why: string): Result {
    const verdict = { outcome: 'failed', kind: 'config', message: why } as const;
    return {
      next: nextOf(claim, verdict),
      attempt: attemptRecord(ids.attempt(), claim, new Date(now()), verdict, 0),
    };
  }

  return {
    deliver(claim) {
      let sending: Sending | undefined;
      let ended: 'released' | 'lost' | undefined;

      async function fly(): Promise<void> {
        const next = unsendable(claim);
        if (next) return record(claim, { next });
        // Tried again as the schedule says: somebody may repair it.
        if (claim.unreadable !== undefined) return record(claim, damaged(claim, claim.unreadable));
        const bound = claim as BoundClaim;
        const delayMs = patience.waitOf(bound);
        if (delayMs > 0) return record(claim, { next: { status: 'released', delayMs } });
        const startedAt = new Date(now());
        const begin = performance.now();
        sending = send(bound, startedAt, options);
        const verdict = await sending.verdict;
        if (ended === 'lost') return announce(claim, { status: 'lost' }, undefined);
        if (ended === 'released' && verdict.outcome !== 'delivered') {
          return record(claim, { next: { status: 'released', ...memoOf(verdict) } });
        }
        const durationMs = Math.round(performance.now() - begin);
        return record(claim, resultOf(bound, verdict, startedAt, durationMs));
      }

      return {
        claim,
        landed: fly().catch((error) => announcer.announce('error', () => error)),
        end(why) {
          ended ??= why;
          // Who has it by now is worth knowing; a lease that is lost is another's already.
          const moment = why === 'lost' ? 0 : Math.min(momentMs, options.leaseMs / 2);
          sending?.end(failed('channel_error', why), moment);
        },
      };
    },

    release: (claim) => ({ claim, landed: record(claim, { next: { status: 'released' } }), end: () => {} }),
  };
}

const asFailed = (said: Busy): Exclude<Verdict, Busy> => ({
  ...said,
  outcome: 'failed',
  kind: 'http_status',
});

/** What is left for the next attempt, also for one that somebody asks for when it is dead. */
const memoOf = (verdict: Verdict): { readonly memo?: string } =>
  'memo' in verdict && verdict.memo !== undefined ? { memo: verdict.memo } : {};

/** Of a digest, each of its deliveries is spoken of by itself. */
function factsOf(
  { deliveryId: name, webhook, binding, digest }: Claim,
  event: Event,
  attempt: Attempt | undefined,
): DeliveryFacts {
  // The webhook may have dropped the binding, whose id every name ends with.
  const id = digest ? deliveryId(event.id, `ch_${name.slice(-10)}`) : name;
  return {
    deliveryId: id,
    tenantId: event.tenantId,
    eventId: event.id,
    eventType: event.type,
    webhookId: webhook.id,
    channel: binding?.channel ?? null,
    attempt: attempt ? { ...attempt, deliveryId: id } : null,
  };
}
