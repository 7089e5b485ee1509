import type { LifecycleEmitter } from '../lifecycle.js';
import type { StorageClock } from '../storage/clock.js';
import type { Claim, ClaimOptions, DeliveryStore } from '../storage/ports.js';
import { ClaimBuffer, type ClaimBufferOptions } from './claim-buffer.js';
import type { HeldClaim } from './claim-counts.js';
import type { Executor } from './executor.js';
import { Fetcher } from './fetcher.js';
import { Heartbeat } from './heartbeat.js';
import { InFlight } from './in-flight.js';
import type { Recorder } from './recorder.js';
import { Waiters } from './waiters.js';

export interface WorkerOptions extends Omit<ClaimBufferOptions, 'soonMs'> {
  readonly deliveries: Pick<DeliveryStore, 'claim' | 'renew'>;
  readonly executor: Executor;
  readonly recorder: Recorder;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly clock: StorageClock;
  readonly monotonic: () => number;
  readonly lifecycle: LifecycleEmitter;
}

/**
 * A first attempt may begin with its claim where it is sent within this time. If the worker is lost, each of them is
 * on record as an attempt.
 */
const maxSoonMs = 1_000;

/**
 * Claims deliveries and has them sent. The worker is always in one of these states:
 *
 *   stopped   claims only while a `drain` is pending
 *   running   claims whenever there is capacity and something may be due
 *   stopping  claims nothing, gives back what has not begun, waits for what is in flight
 *
 *   stopped -- start --> running -- stop --> stopping -- idle --> stopped
 *
 * `start` is not called while it is stopping: `Background` sees to that. `stop` may be called in every state.
 *
 * Claims come in two ways, one call of each at a time: the fetcher asks for them, and a publish may hand over what it has
 * just stored (`reserve`, then `take`). If one waited for the other, every publish would leave something to claim, every
 * claim would find something, and each would trigger the other. Together they may bring twice the capacity; the buffer
 * holds what is too much.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #buffer: ClaimBuffer;
  readonly #inFlight: InFlight;
  readonly #fetcher: Fetcher;
  readonly #heartbeat: Heartbeat;
  #state: 'stopped' | 'running' | 'stopping' = 'stopped';
  #stopped: Promise<void> = Promise.resolve();
  /** Who waits until nothing is due, and who until nothing is in flight. */
  readonly #drains = new Waiters();
  readonly #idleWaits = new Waiters();
  #willAdvance = false;
  /** While a publish may hand claims over: the gap of the clocks from before it. */
  #handOverGapMs: number | undefined;
  #poll: NodeJS.Timeout | undefined;
  /** Ends a stop whose results cannot be written. */
  #abandonTimer: NodeJS.Timeout | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { executor, leaseMs, monotonic, lifecycle } = options;
    this.#buffer = new ClaimBuffer({ ...options, soonMs: Math.min(maxSoonMs, leaseMs / 4) }, monotonic);
    this.#inFlight = new InFlight({
      executor,
      buffer: this.#buffer,
      onFree: () => this.#advanceSoon(),
      onSettled: (held, mayUnblockOther) => this.#settled(held, mayUnblockOther),
    });
    this.#fetcher = new Fetcher({
      ...options,
      buffer: this.#buffer,
      inFlight: this.#inFlight,
      isOpen: () => this.#isOpen,
      onFailed: (error) => {
        if (!this.#drains.fail(error)) lifecycle.emit('error', () => error);
      },
      onFetched: (claims, since, gapMs) => this.#fetched(claims, since, gapMs),
    });
    this.#heartbeat = new Heartbeat({
      ...options,
      held: () => this.#held(),
      onLost: (held) => this.#lose(held),
    });
  }

  start(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#poll = setInterval(() => this.#fetcher.poll(), this.#options.pollMs);
    this.#options.lifecycle.emit('worker:started');
    this.#fetcher.poll();
  }

  /** Claims no more, waits `graceMs` for what is in flight, and gives back the rest. A later call may shorten the wait. */
  stop(graceMs: number): Promise<void> {
    if (this.#state !== 'stopping') {
      const wasRunning = this.#state === 'running';
      this.#state = 'stopping';
      clearInterval(this.#poll);
      this.#stopped = this.#stop(wasRunning);
    }
    // What has not begun is given back at once.
    this.#advance();
    const grace = setTimeout(() => this.#abortAll(), graceMs);
    return this.#stopped.finally(() => clearTimeout(grace));
  }

  /** Resolves when nothing is due and nothing in flight, or the worker was stopped. Rejects where a claim fails. */
  drain(): Promise<void> {
    const drained = this.#drains.add();
    this.#fetcher.poll();
    return drained;
  }

  /** Something may be due. */
  wake(): void {
    this.#fetcher.request();
  }

  /** Something will be due in `ms`. Beyond the next poll, the poll finds it. */
  wakeIn(ms: number): void {
    // A timer may fire a millisecond early by the storage's clock. A fetch that comes too early finds nothing, and the
    // next one is the poll.
    if (ms < this.#options.pollMs) setTimeout(() => this.wake(), ms + 1).unref();
  }

  /** Whether this process could send more than it does. */
  get hasCapacity(): boolean {
    return this.#isOpen && this.#buffer.hasCapacity;
  }

  /**
   * How many of the events about to be published may come back claimed; `take` must follow. Undefined where there is no
   * capacity.
   */
  reserve(): ClaimOptions | undefined {
    if (this.#handOverGapMs !== undefined || !this.#isOpen) return undefined;
    const capacity = this.#buffer.prefetchCapacity;
    if (capacity.limit <= 0) return undefined;
    this.#handOverGapMs = this.#options.clock.gapMs();
    return { ...capacity, leaseMs: this.#options.leaseMs };
  }

  /** Takes over what was claimed since `since`, in monotonic time. A worker that is stopping gives it back. */
  take(claims: readonly Claim[], since: number): void {
    const gapMs = this.#handOverGapMs!;
    this.#handOverGapMs = undefined;
    // Looks again: a fetch meanwhile could not end the drains, as the worker was not idle.
    if (this.#drains.areAny) this.#fetcher.remember();
    this.#hold(claims, since, gapMs);
  }

  get #isOpen(): boolean {
    return this.#state === 'running' || (this.#state === 'stopped' && this.#drains.areAny);
  }

  get #isIdle(): boolean {
    const isHandedOver = this.#handOverGapMs !== undefined;
    return this.#buffer.isEmpty && this.#inFlight.size === 0 && !this.#fetcher.isFetching && !isHandedOver;
  }

  #fetched(claims: readonly Claim[], since: number, gapMs: number): void {
    this.#hold(claims, since, gapMs);
    if (this.#isIdle && !this.#fetcher.isRequested) this.#drains.end();
  }

  /** `gapMs` is the gap of the clocks before the storage was asked: the machine may have slept before the answer came. */
  #hold(claims: readonly Claim[], since: number, gapMs: number): void {
    const heldUntil = since + this.#options.leaseMs;
    for (const claim of claims) this.#buffer.add({ claim, heldUntil, gapMs });
    if (!this.#buffer.isEmpty) this.#heartbeat.start();
    this.#advance();
    this.#fetcher.resume();
    this.#checkIdle();
  }

  /** Sends what is buffered, up to the concurrency. A worker that claims nothing gives it back instead. */
  #advance(): void {
    if (this.#isOpen) this.#inFlight.start();
    else for (const held of this.#buffer.takeAll()) this.#inFlight.release(held);
  }

  /** Advances after the other answers of this turn of the event loop: what is sent together costs less. */
  #advanceSoon(): void {
    if (this.#willAdvance) return;
    this.#willAdvance = true;
    setImmediate(() => {
      this.#willAdvance = false;
      this.#advance();
    });
  }

  #settled(held: HeldClaim, mayUnblockOther: boolean): void {
    this.#heartbeat.forget(held);
    if (this.#buffer.isEmpty) this.#heartbeat.stop();
    if (mayUnblockOther || this.#drains.areAny) this.#fetcher.request();
    else this.#fetcher.resume();
    this.#checkIdle();
  }

  /** The claims to renew. Gives back buffered ones that their webhook will not reach soon: others may send those. */
  #held(): Iterable<HeldClaim> {
    for (const held of this.#buffer.takeExcess()) this.#inFlight.release(held);
    return [...this.#inFlight.held, ...this.#buffer.waiting()];
  }

  #lose(held: HeldClaim): void {
    if (!this.#inFlight.abort(held, 'lost')) this.#buffer.drop(held);
  }

  async #stop(wasRunning: boolean): Promise<void> {
    const idle = this.#idleWaits.add();
    this.#checkIdle();
    await idle;
    // A result that could not be written by now is found lost by the next claim.
    this.#options.recorder.abandon();
    clearTimeout(this.#abandonTimer);
    this.#abandonTimer = undefined;
    this.#drains.end();
    this.#state = 'stopped';
    if (wasRunning) this.#options.lifecycle.emit('worker:stopped');
  }

  #abortAll(): void {
    this.#inFlight.abortAll();
    // A storage that does not answer is waited for as long as the lease: from then on, others may claim it.
    this.#abandonTimer ??= setTimeout(() => this.#idleWaits.end(), this.#options.leaseMs);
  }

  #checkIdle(): void {
    if (this.#isIdle) this.#idleWaits.end();
  }
}
