import pRetry from 'p-retry';
import type { PosthornError } from '../errors.js';
import type { DeliveryInfo, LifecycleEmitter } from '../lifecycle.js';
import type { Attempt } from '../models/delivery.js';
import type { WebhookEvent } from '../models/event.js';
import { deliveryId } from '../models/ids.js';
import { type BatchedItem, createBatchWriter } from '../storage/batch-writer.js';
import type { StorageClock } from '../storage/clock.js';
import type { NextState } from '../storage/next-state.js';
import type { Claim, DeliveryStore, Settlement } from '../storage/ports.js';
import type { Result } from './results.js';

export interface RecorderOptions {
  readonly deliveries: Pick<DeliveryStore, 'begin' | 'settle'>;
  readonly clock: StorageClock;
  readonly lifecycle: LifecycleEmitter;
  /** Called with the delay of a retry that was written, and with 0 where the result created deliveries that are due now. */
  readonly onRetry: (delayMs: number) => void;
  /** Disables the webhook whose only receiver is gone. */
  readonly disable: (webhook: Claim['webhook'], reason: string) => Promise<void>;
}

const maxBatch = 500;
/** A result is retried for 16 seconds, about as long as its lease may have left. */
const writeRetries = { retries: 8, minTimeout: 100, maxTimeout: 5_000, unref: true };

/**
 * Writes in batches that attempts begin, and their results, and emits them. Writes are retried, sends are not: a result that
 * is not recorded is a delivery made twice.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #begin: (one: BatchedItem<Claim, Date | undefined>) => void;
  readonly #settle: (one: BatchedItem<Settlement, boolean>) => void;
  #abandoned = new AbortController();

  /** No attempt begins on a lease with less than `leftMs` left. */
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
    // The first batch is deferred, so that the results of one turn of the event loop are one write.
    this.#settle = createBatchWriter(
      (settlements) => this.#retryWrite(() => deliveries.settle(settlements)),
      {
        maxItems: maxBatch,
        deferFirstBatch: true,
      },
    );
  }

  /** Calls `onBegun` with the time of the storage at which the attempt begins. Undefined where the lease is over, or nearly so. */
  begin(claim: Claim, onBegun: (at: Date | undefined) => void, onError: (error: unknown) => void): void {
    this.#begin({ item: claim, onResult: onBegun, onError });
  }

  /** Writes the result of the claim. `onRecorded` is called when it is written, or can no longer be. */
  record(claim: Claim, result: Result, onRecorded: () => void): void {
    const { next, attempt, escalateTo } = result;
    const abandoned = this.#abandoned;
    this.#settle({
      // The usual case. Objects put together by spreading cost more.
      item:
        attempt && escalateTo.length === 0
          ? { claim, next, attempt }
          : { claim, next, ...(attempt && { attempt }), ...(escalateTo.length > 0 && { escalateTo }) },
      onResult: (isHeld) => this.#recorded(claim, result, isHeld, onRecorded),
      onError: (error) => {
        this.failed(error, abandoned);
        onRecorded();
      },
    });
  }

  #recorded(claim: Claim, result: Result, isHeld: boolean, onRecorded: () => void): void {
    const { next, attempt, escalateTo, gone } = result;
    const { onRetry, disable } = this.#options;
    try {
      if (isHeld && 'delayMs' in next && next.delayMs !== undefined) onRetry(next.delayMs);
      if (isHeld && (escalateTo.length > 0 || next.status === 'split')) onRetry(0);
      this.#announce(claim, isHeld ? next : { status: 'lost' }, attempt);
    } catch (error) {
      this.failed(error);
    }
    // A webhook with other channels goes on for those.
    const isOnlyChannel = claim.webhook.channels.length === 1;
    if (!isHeld || gone === undefined || !isOnlyChannel) {
      onRecorded();
      return;
    }
    const abandoned = this.#abandoned;
    void this.#retryWrite(() => disable(claim.webhook, gone))
      .catch((error) => this.failed(error, abandoned))
      .then(onRecorded);
  }

  /** Emits that the lease of the claim was lost. */
  lost(claim: Claim): void {
    this.#announce(claim, { status: 'lost' }, undefined);
  }

  /** Emits an error that has no caller to reject. Nothing is emitted once the worker has stopped. */
  failed(error: unknown, { signal } = this.#abandoned): void {
    if (!signal.aborted) this.#options.lifecycle.emit('error', () => error as PosthornError);
  }

  /** Gives up on unwritten results: the worker has stopped, and nothing may go on in the background. */
  abandon(): void {
    this.#abandoned.abort();
    this.#abandoned = new AbortController();
  }

  async #retryWrite<Written>(onWriting: () => Promise<Written>): Promise<Written> {
    const abandoned = this.#abandoned;
    try {
      return await onWriting();
    } catch (error) {
      this.failed(error, abandoned);
      return pRetry(onWriting, { ...writeRetries, signal: abandoned.signal });
    }
  }

  #announce(claim: Claim, next: NextState | { status: 'lost' }, attempt: Attempt | undefined): void {
    const { lifecycle } = this.#options;
    for (const event of claim.digest ?? [claim.event]) {
      const facts = () => factsOf(claim, event, attempt);
      if (next.status === 'pending' || next.status === 'split') {
        const retryInMs = next.status === 'split' ? 0 : next.delayMs;
        lifecycle.emit('delivery:failed', () => ({ ...facts(), retryInMs }));
      } else if (next.status === 'released' && next.delayMs !== undefined) {
        const retryInMs = next.delayMs;
        lifecycle.emit('delivery:deferred', () => ({ ...facts(), retryInMs }));
      } else lifecycle.emit(`delivery:${next.status}`, facts);
    }
  }
}

/** The facts of one delivery. Each delivery of a digest is emitted by itself. */
function factsOf(
  { deliveryId: name, webhook, binding, digest }: Claim,
  event: WebhookEvent,
  attempt: Attempt | undefined,
): DeliveryInfo {
  // The id of a digest ends with that of its binding, which the webhook may no longer have.
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
