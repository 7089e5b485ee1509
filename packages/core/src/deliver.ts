import pRetry from 'p-retry';
import { decide, type Next, type OrderingPolicy, type RetryPolicy, yieldsAfter } from './decide.js';
import type { PosthornError } from './errors.js';
import { escalationsOf } from './escalation.js';
import { gather } from './gather.js';
import { deliveryId, type Ids } from './ids.js';
import type { Announcer, DeliveryFacts } from './lifecycle.js';
import type { Attempt, Event } from './models.js';
import type { Claim, DeliveryStore, Settlement } from './ports.js';
import { attemptRecord, type BoundClaim, type Sending, type SendOptions, send } from './send.js';
import { failed, type Verdict } from './verdict.js';

export interface DelivererOptions extends SendOptions {
  readonly deliveries: Pick<DeliveryStore, 'settle'>;
  readonly retry: RetryPolicy;
  readonly ordering: OrderingPolicy;
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
  /** Ends the attempt now: `released` gives the delivery back uncounted, `lost` leaves it to whoever has it now. */
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

const maxSettlements = 500;
/** A result is worth many tries: 16 seconds of them, about as long as its lease may have left. */
const writeRetries = { retries: 8, minTimeout: 100, maxTimeout: 5_000 };

export function deliverer(options: DelivererOptions): Deliverer {
  const { deliveries, retry, ordering, ids, now, random } = options;
  const { announcer, onRetry, disable } = options;

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
  function unsendable({ attempt, attemptsBefore, binding }: Claim): Next | undefined {
    if (!binding) return { status: 'cancelled' };
    return attempt - attemptsBefore > retry.scheduleMs.length + 1 ? { status: 'dead' } : undefined;
  }

  function nextOf({ attempt, attemptsBefore, event }: Claim, verdict: Verdict): Next {
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
      if (isHeld && next.status === 'pending') onRetry(next.delayMs);
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
      if (next.status === 'pending') {
        announcer.announce('delivery:failed', () => ({ ...facts(), retryInMs: next.delayMs }));
      } else announcer.announce(`delivery:${next.status}`, facts);
    }
  }

  return {
    deliver(claim) {
      let sending: Sending | undefined;
      let ended: 'released' | 'lost' | undefined;

      async function fly(): Promise<void> {
        const next = unsendable(claim);
        if (next) return record(claim, { next });
        const startedAt = new Date(now());
        const begin = performance.now();
        sending = send(claim as BoundClaim, startedAt, options);
        const verdict = await sending.verdict;
        if (ended === 'lost') return announce(claim, { status: 'lost' }, undefined);
        if (ended === 'released') return record(claim, { next: { status: 'released' } });
        const durationMs = Math.round(performance.now() - begin);
        return record(claim, {
          next: nextOf(claim, verdict),
          attempt: attemptRecord(ids.attempt(), claim, startedAt, verdict, durationMs),
          ...(verdict.outcome === 'gone' && { gone: verdict.message }),
        });
      }

      return {
        claim,
        landed: fly().catch((error) => announcer.announce('error', () => error)),
        end(why) {
          ended ??= why;
          sending?.end(failed('channel_error', why));
        },
      };
    },

    release: (claim) => ({ claim, landed: record(claim, { next: { status: 'released' } }), end: () => {} }),
  };
}

/** What is left for the next attempt, also for one that somebody asks for when it is dead. */
const memoOf = (verdict: Verdict): { readonly memo?: string } =>
  'memo' in verdict && verdict.memo !== undefined ? { memo: verdict.memo } : {};

/** Of a digest, each of its deliveries is spoken of by itself. */
function factsOf(
  { deliveryId: id, webhook, binding, ...claim }: Claim,
  event: Event,
  attempt: Attempt | undefined,
): DeliveryFacts {
  return {
    deliveryId: event === claim.event || !binding ? id : deliveryId(event.id, binding.id),
    tenantId: event.tenantId,
    eventId: event.id,
    eventType: event.type,
    webhookId: webhook.id,
    channel: binding?.channel ?? null,
    attempt: attempt ?? null,
  };
}
