import { failed, type Verdict } from '../channels/verdict.js';
import type { StorageClock } from '../storage/clock.js';
import type { HeldClaim } from './claim-counts.js';
import type { BoundClaim } from './message.js';
import type { Recorder } from './recorder.js';
import type { Result, Results } from './result.js';
import { type Sending, type SendOptions, send } from './send.js';

export interface DelivererOptions extends SendOptions {
  readonly results: Results;
  readonly recorder: Recorder;
  readonly leaseMs: number;
  /** A lease with less than that left is as good as over. */
  readonly leftMs: number;
  readonly clock: StorageClock;
  readonly monotonic: () => number;
}

/** A claimed delivery on its way. */
export interface Flight {
  readonly held: HeldClaim;
  /** Whether its receiver is done with, and its result being written. */
  readonly isAnswered: boolean;
  /** Where it stands among the others. Set by who follows it. */
  place: number;
  /** Called once. */
  start(): void;
  /**
   * Ends the attempt: `released` gives the delivery back uncounted, unless its channel says in a moment that it is
   * delivered; `lost` leaves it to whoever has it now.
   */
  end(why: 'released' | 'lost'): void;
}

/** Who hears of a flight, of each once, maybe while it is being started. Neither throws. */
export interface Tower {
  /** Its receiver is done with: it has answered, or nothing is sent. */
  onAnswered(flight: Flight): void;
  /** Its result is written, or nobody can write it any more. */
  onLanded(flight: Flight): void;
}

export interface Deliverer {
  /** Begins, sends, decides, records. */
  deliver(held: HeldClaim, tower: Tower): Flight;
  /** Gives back what was never started. */
  release(held: HeldClaim, tower: Tower): Flight;
}

/** How long a channel may take to say how it went when a stop's grace time is over. */
const momentMs = 250;

export const deliverer = (options: DelivererOptions): Deliverer => ({
  deliver: (held, tower) => new Delivery(held, tower, options),
  release: (held, tower) => new Release(held, tower, options),
});

/**
 * One delivery, step by step: to begin it, to send it, to record what became of it. The steps call each other when the
 * storage or the channel has answered, without a promise in between: there are as many as deliveries, and promises and the
 * functions around them took a tenth of the time that a delivery takes.
 */
class Delivery implements Flight {
  readonly held: HeldClaim;
  isAnswered = false;
  place = 0;
  readonly #tower: Tower;
  readonly #options: DelivererOptions;
  #sending: Sending | undefined;
  #ended: 'released' | 'lost' | undefined;
  #startedAt: Date | undefined;
  /** Monotonic. */
  #sentAt = 0;

  constructor(held: HeldClaim, tower: Tower, options: DelivererOptions) {
    this.held = held;
    this.#tower = tower;
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
        // Written before anything is sent: whatever becomes of this process, it counts.
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

  end(why: 'released' | 'lost'): void {
    this.#ended ??= why;
    // Who has it by now is worth knowing; a lease that is lost is another's already.
    const moment = why === 'lost' ? 0 : Math.min(momentMs, this.#options.leaseMs / 2);
    this.#sending?.end(failed('channel_error', why), moment);
  }

  /**
   * Whether the machine may have slept since it was claimed, or since the storage told its time last: then that says whether
   * it is still ours, and what time it is.
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

  /** `startedAt` is undefined where its lease was over, or nearly so. */
  #send(startedAt: Date | undefined, now: number = this.#options.monotonic()): void {
    const { results, leftMs } = this.#options;
    const { claim, heldUntil } = this.held;
    try {
      this.#startedAt = startedAt;
      this.#sentAt = now;
      // This process may have slept since.
      const isLate = now > heldUntil - leftMs;
      if (!startedAt || this.#ended === 'lost') this.#lose();
      else if (this.#ended === 'released' || isLate) this.#record(results.released());
      // Tried again as the schedule says: somebody may repair it.
      else if (claim.unreadable !== undefined) this.#decide(failed('config', claim.unreadable));
      else this.#sending = send(claim as BoundClaim, startedAt, this.#options, (said) => this.#decide(said));
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
    this.#options.recorder.record(this.held.claim, result, () => this.#tower.onLanded(this));
  }

  /** It is another's. */
  #lose(): void {
    this.#answer();
    this.#options.recorder.lost(this.held.claim);
    this.#tower.onLanded(this);
  }

  /** Nobody knows how it went: its lease ends by itself, and that goes on record. */
  #fail(error: unknown): void {
    this.#options.recorder.failed(error);
    this.#answer();
    this.#tower.onLanded(this);
  }

  #answer(): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.#tower.onAnswered(this);
  }
}

class Release implements Flight {
  readonly held: HeldClaim;
  readonly isAnswered = false;
  place = 0;
  readonly #tower: Tower;
  readonly #options: DelivererOptions;

  constructor(held: HeldClaim, tower: Tower, options: DelivererOptions) {
    this.held = held;
    this.#tower = tower;
    this.#options = options;
  }

  start(): void {
    const { recorder, results } = this.#options;
    recorder.record(this.held.claim, results.released(), () => this.#tower.onLanded(this));
  }

  end(): void {}
}
