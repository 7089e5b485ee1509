import pRetry from 'p-retry';
import type { PosthornError } from '../errors.js';
import type { Announcer, DeliveryFacts } from '../lifecycle.js';
import { deliveryId } from '../models/ids.js';
import type { Attempt, Event } from '../models/models.js';
import { type BatchedItem, createBatchWriter } from '../storage/batch-writer.js';
import type { StorageClock } from '../storage/clock.js';
import type { NextState } from '../storage/next-state.js';
import type { Claim, DeliveryStore, Settlement } from '../storage/ports.js';
import type { Result } from './results.js';

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
  readonly #begin: (one: BatchedItem<Claim, Date | undefined>) => void;
  readonly #settle: (one: BatchedItem<Settlement, boolean>) => void;
  #abandoned = new AbortController();

  /** A lease with less than `leftMs` left is as good as over: nothing begins on it. */
  constructor(options: RecorderOptions, leftMs: number) {
    this.#options = options;
    const { deliveries, clock } = options;
    this.#begin = createBatchWriter(
      async (claims) => {
        const asked = clock.read();
        const { begun, at } = await deliveries.begin(claims, leftMs);
        clock.set(at, asked);
        if (begun.length === claims.length) return claims.map(() => at);
        const tokens = new Set(begun.map(({ token }) => token));
        return claims.map(({ token }) => (tokens.has(token) ? at : undefined));
      },
      { maxItems: maxBatch },
    );
    // Patient, so that the results of one turn of the event loop are one write.
    this.#settle = createBatchWriter((settlements) => this.#insist(() => deliveries.settle(settlements)), {
      maxItems: maxBatch,
      deferFirstBatch: true,
    });
  }

  /** Tells when the attempt begins, by the storage's clock; undefined where the lease is over, or nearly so. */
  begin(claim: Claim, onBegun: (at: Date | undefined) => void, onError: (error: unknown) => void): void {
    this.#begin({ item: claim, onResult: onBegun, onError });
  }

  /** Writes what becomes of the claim; `onRecorded` is called when that is done, or nothing can be done about it. */
  record(claim: Claim, result: Result, onRecorded: () => void): void {
    const { next, attempt, begin } = result;
    const abandoned = this.#abandoned;
    this.#settle({
      // Mostly it is this, and objects that are put together cost more.
      item:
        attempt && begin.length === 0
          ? { claim, next, attempt }
          : { claim, next, ...(attempt && { attempt }), ...(begin.length > 0 && { begin }) },
      onResult: (isHeld) => this.#recorded(claim, result, isHeld, onRecorded),
      onError: (error) => {
        this.failed(error, abandoned);
        onRecorded();
      },
    });
  }

  #recorded(claim: Claim, result: Result, isHeld: boolean, onRecorded: () => void): void {
    const { next, attempt, begin, gone } = result;
    const { onRetry, disable } = this.#options;
    try {
      if (isHeld && 'delayMs' in next && next.delayMs !== undefined) onRetry(next.delayMs);
      if (isHeld && (begin.length > 0 || next.status === 'split')) onRetry(0);
      this.#announce(claim, isHeld ? next : { status: 'lost' }, attempt);
    } catch (error) {
      this.failed(error);
    }
    // Where the webhook reaches others, it goes on for them.
    const isOnlyChannel = claim.webhook.channels.length === 1;
    if (!isHeld || gone === undefined || !isOnlyChannel) {
      onRecorded();
      return;
    }
    const abandoned = this.#abandoned;
    void this.#insist(() => disable(claim.webhook, gone))
      .catch((error) => this.failed(error, abandoned))
      .then(onRecorded);
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

  #announce(claim: Claim, next: NextState | { status: 'lost' }, attempt: Attempt | undefined): void {
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
