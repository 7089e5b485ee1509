import { failed, type Verdict } from '../channels/verdict.js';
import type { StorageClock } from '../storage/clock.js';
import type { HeldClaim } from './claim-counts.js';
import type { BoundClaim } from './message.js';
import type { Recorder } from './recorder.js';
import type { Result, Results } from './results.js';
import { type Sending, type SendOptions, send } from './send.js';

export interface ExecutorOptions extends SendOptions {
  readonly results: Results;
  readonly recorder: Recorder;
  readonly leaseMs: number;
  /** A lease with less than that left is as good as over. */
  readonly leftMs: number;
  readonly clock: StorageClock;
  readonly monotonic: () => number;
}

/** The execution of one claim: from the claim to the written result. */
export interface Execution {
  readonly held: HeldClaim;
  /** Whether its receiver has answered, or nothing is sent. Its result is being written. */
  readonly isAnswered: boolean;
  /** Its index in the list that holds it. */
  index: number;
  /** Called once. */
  start(): void;
  /**
   * Ends the attempt. `released` gives the delivery back uncounted, unless its channel reports within a moment that it is
   * delivered. `lost` writes nothing: another process has the claim.
   */
  abort(why: 'released' | 'lost'): void;
}

/** Each is called once, maybe within `start`. Neither throws. */
export interface ExecutionListener {
  /** The receiver has answered, or nothing is sent. */
  onAnswered(execution: Execution): void;
  /** The result is written, or this process can no longer write it. */
  onSettled(execution: Execution): void;
}

export interface Executor {
  /** Begins the attempt, sends, decides what comes next, and records that. */
  run(held: HeldClaim, listener: ExecutionListener): Execution;
  /** Gives back a claim that was never begun. */
  release(held: HeldClaim, listener: ExecutionListener): Execution;
}

/** How long a channel may take to report when the grace time of a stop is over. */
const momentMs = 250;

export const createExecutor = (options: ExecutorOptions): Executor => ({
  run: (held, listener) => new SendExecution(held, listener, options),
  release: (held, listener) => new ReleaseExecution(held, listener, options),
});

/**
 * Sends one delivery, step by step: begin, send, decide, record. Each step calls the next one when the storage or the
 * channel has answered, without a promise in between: promises, and the functions around them, took a tenth of the time
 * of a delivery.
 */
class SendExecution implements Execution {
  readonly held: HeldClaim;
  isAnswered = false;
  index = 0;
  readonly #listener: ExecutionListener;
  readonly #options: ExecutorOptions;
  #sending: Sending | undefined;
  #ended: 'released' | 'lost' | undefined;
  #startedAt: Date | undefined;
  /** Monotonic. */
  #sentAt = 0;

  constructor(held: HeldClaim, listener: ExecutionListener, options: ExecutorOptions) {
    this.held = held;
    this.#listener = listener;
    this.#options = options;
  }

  start(): void {
    const { results, recorder, clock, monotonic } = this.#options;
    const { claim } = this.held;
    try {
      const unsent = results.before(claim);
      const now = monotonic();
      if (unsent) this.#record(unsent);
      else if (claim.begunAt && !this.#hasSlept(now)) this.#send(new Date(clock.now(now)), now);
      else {
        // Written before anything is sent, so that the attempt counts even if this process is lost.
        recorder.begin(
          claim,
          (at) => this.#send(at),
          (error) => this.#notBegun(error),
        );
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  abort(why: 'released' | 'lost'): void {
    this.#ended ??= why;
    // A report that it was delivered spares a second delivery. A lost claim is another's, and needs none.
    const moment = why === 'lost' ? 0 : Math.min(momentMs, this.#options.leaseMs / 2);
    this.#sending?.end(failed('channel_error', why), moment);
  }

  /**
   * Whether the machine may have slept since the claim, or since the storage last gave its time. If so, `begin` asks the
   * storage whether the lease still holds, and for the time.
   */
  #hasSlept(now: number): boolean {
    const { clock, leftMs } = this.#options;
    return !clock.isSet || Math.abs(clock.gapMs(now) - this.held.gapMs) > leftMs;
  }

  #notBegun(error: unknown): void {
    const { results, recorder } = this.#options;
    recorder.failed(error);
    this.#record(results.released());
  }

  /** `startedAt` is undefined where the lease was over, or nearly so. */
  #send(startedAt: Date | undefined, now: number = this.#options.monotonic()): void {
    const { results, leftMs } = this.#options;
    const { claim, heldUntil } = this.held;
    try {
      this.#startedAt = startedAt;
      this.#sentAt = now;
      // The process may have slept since the storage answered.
      const isLate = now > heldUntil - leftMs;
      if (!startedAt || this.#ended === 'lost') this.#lose();
      else if (this.#ended === 'released' || isLate) this.#record(results.released());
      // Retried by the schedule: the webhook may be repaired meanwhile.
      else if (claim.unreadable !== undefined) this.#decide(failed('config', claim.unreadable));
      else
        this.#sending = send(claim as BoundClaim, startedAt, this.#options, (verdict) =>
          this.#decide(verdict),
        );
    } catch (error) {
      this.#fail(error);
    }
  }

  #decide(verdict: Verdict): void {
    const { results } = this.#options;
    try {
      const isReleased = this.#ended === 'released' && verdict.outcome !== 'delivered';
      if (this.#ended === 'lost') this.#lose();
      else if (isReleased) this.#record(results.released(verdict));
      else this.#record(results.after(this.held.claim, verdict, this.#startedAt!, this.#sentAt));
    } catch (error) {
      this.#fail(error);
    }
  }

  #record(result: Result): void {
    this.#answer();
    this.#options.recorder.record(this.held.claim, result, () => this.#listener.onSettled(this));
  }

  /** Another process has the claim. */
  #lose(): void {
    this.#answer();
    this.#options.recorder.lost(this.held.claim);
    this.#listener.onSettled(this);
  }

  /** The outcome is unknown. The lease ends by itself, and the next claim puts the attempt on record as lost. */
  #fail(error: unknown): void {
    this.#options.recorder.failed(error);
    this.#answer();
    this.#listener.onSettled(this);
  }

  #answer(): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.#listener.onAnswered(this);
  }
}

class ReleaseExecution implements Execution {
  readonly held: HeldClaim;
  readonly isAnswered = false;
  index = 0;
  readonly #listener: ExecutionListener;
  readonly #options: ExecutorOptions;

  constructor(held: HeldClaim, listener: ExecutionListener, options: ExecutorOptions) {
    this.held = held;
    this.#listener = listener;
    this.#options = options;
  }

  start(): void {
    const { recorder, results } = this.#options;
    recorder.record(this.held.claim, results.released(), () => this.#listener.onSettled(this));
  }

  abort(): void {}
}
