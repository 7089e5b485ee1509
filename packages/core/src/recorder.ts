import pRetry from 'p-retry';
import type { StorageClock } from './clock.js';
import type { Next } from './decide.js';
import type { PosthornError } from './errors.js';
import { gather } from './gather.js';
import { deliveryId } from './ids.js';
import type { Announcer, DeliveryFacts } from './lifecycle.js';
import type { Attempt, Event } from './models.js';
import type { Claim, DeliveryStore, Settlement } from './ports.js';
import type { Result } from './result.js';

export interface RecorderOptions {
  readonly deliveries: Pick<DeliveryStore, 'begin' | 'settle'>;
  readonly clock: StorageClock;
  readonly announcer: Announcer;
  /** Called when a retry was written, with how long it waits, or another delivery has begun. */
  readonly onRetry: (delayMs: number) => void;
  /** Pauses the webhook whose only receiver is gone. */
  readonly disable: (webhook: Claim['webhook'], reason: string) => Promise<void>;
}

const maxBatch = 500;
/** A result is worth many tries: 16 seconds of them, about as long as its lease may have left. */
const writeRetries = { retries: 8, minTimeout: 100, maxTimeout: 5_000, unref: true };

/**
 * Writes down that attempts begin, and what became of them, in batches, and announces it. What is written is insisted on,
 * what is sent never: a result that is not recorded is a delivery made twice.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #begin: (claims: readonly Claim[]) => Promise<readonly (Date | undefined)[]>;
  readonly #settle: (settlements: readonly Settlement[]) => Promise<readonly boolean[]>;
  #abandoned = new AbortController();

  /** A lease with less than `leftMs` left is as good as over: nothing begins on it. */
  constructor(options: RecorderOptions, leftMs: number) {
    this.#options = options;
    const { deliveries, clock } = options;
    this.#begin = gather(
      async (claims) => {
        const { begun, at } = await deliveries.begin(claims, leftMs);
        clock.set(at);
        const tokens = new Set(begun.map(({ token }) => token));
        return claims.map(({ token }) => (tokens.has(token) ? at : undefined));
      },
      { maxItems: maxBatch },
    );
    // Patient, so that the results of one turn of the event loop are one write.
    this.#settle = gather((settlements) => this.#insist(() => deliveries.settle(settlements)), {
      maxItems: maxBatch,
      isPatient: true,
    });
  }

  /** When the attempt begins, by the storage's clock; undefined where the lease is over, or nearly so. */
  async begin(claim: Claim): Promise<Date | undefined> {
    const [at] = await this.#begin([claim]);
    return at;
  }

  /** Writes what becomes of the claim. Never rejects. */
  async record(claim: Claim, { next, attempt, begin, gone }: Result): Promise<void> {
    const { onRetry, disable } = this.#options;
    const abandoned = this.#abandoned;
    try {
      const [isHeld] = await this.#settle([
        { claim, next, ...(attempt && { attempt }), ...(begin.length > 0 && { begin }) },
      ]);
      if (isHeld && 'delayMs' in next && next.delayMs !== undefined) onRetry(next.delayMs);
      if (isHeld && (begin.length > 0 || next.status === 'split')) onRetry(0);
      this.#announce(claim, isHeld ? next : { status: 'lost' }, attempt);
      // Where the webhook reaches others, it goes on for them.
      const isOnlyChannel = claim.webhook.channels.length === 1;
      if (isHeld && gone !== undefined && isOnlyChannel) {
        await this.#insist(() => disable(claim.webhook, gone));
      }
    } catch (error) {
      this.failed(error, abandoned);
    }
  }

  /** The claim is another's, or nobody's. */
  lost(claim: Claim): void {
    this.#announce(claim, { status: 'lost' }, undefined);
  }

  /** Announces what no caller waits for; after the worker has stopped, nobody does. */
  failed(error: unknown, { signal } = this.#abandoned): void {
    if (!signal.aborted) this.#options.announcer.announce('error', () => error as PosthornError);
  }

  /** Gives up on what is not written yet: the worker has stopped, and nothing of it may go on. */
  abandon(): void {
    this.#abandoned.abort();
    this.#abandoned = new AbortController();
  }

  async #insist<Written>(onWriting: () => Promise<Written>): Promise<Written> {
    const abandoned = this.#abandoned;
    try {
      return await onWriting();
    } catch (error) {
      this.failed(error, abandoned);
      return pRetry(onWriting, { ...writeRetries, signal: abandoned.signal });
    }
  }

  #announce(claim: Claim, next: Next | { status: 'lost' }, attempt: Attempt | undefined): void {
    const { announcer } = this.#options;
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
}

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
