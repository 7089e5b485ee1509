import type { PosthornError } from '../errors.js';
import type { StorageClock } from '../storage/clock.js';
import type { Claim, DeliveryStore } from '../storage/ports.js';
import type { ClaimBuffer } from './claim-buffer.js';
import type { InFlight } from './in-flight.js';

export interface FetcherOptions {
  readonly deliveries: Pick<DeliveryStore, 'claim'>;
  readonly buffer: ClaimBuffer;
  readonly inFlight: InFlight;
  readonly leaseMs: number;
  readonly clock: StorageClock;
  readonly monotonic: () => number;
  /** Whether the worker may claim now. */
  readonly isOpen: () => boolean;
  /** Called when a claim failed, before `onFetched`. */
  readonly onFailed: (error: PosthornError) => void;
  /**
   * Called with what a claim brought: nothing where it failed. `since` is the monotonic time and `gapMs` the gap of the
   * clocks just before the storage was asked.
   */
  readonly onFetched: (claims: readonly Claim[], since: number, gapMs: number) => void;
}

/**
 * Claims deliveries, one call at a time. The fetcher is always in one of these modes:
 *
 *   idle       `request` schedules a fetch
 *   scheduled  a fetch begins at the end of this turn: several results, or several events, share one
 *   fetching   a claim is under way; a request is remembered, and `resume` must follow it
 *   on hold    the last claim failed; requests are remembered until the next poll
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  #mode: 'idle' | 'scheduled' | 'fetching' | 'on hold' = 'idle';
  #isRequested = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  get isFetching(): boolean {
    return this.#mode === 'fetching';
  }

  /** Whether something may be due that no claim has looked for. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  /** Something may be due: fetches as soon as the mode and the buffer allow. */
  request(): void {
    this.#isRequested = true;
    this.resume();
  }

  /** Something may be due; `resume` follows. */
  remember(): void {
    this.#isRequested = true;
  }

  /** Fetches what was requested and not fetched. */
  resume(): void {
    if (!this.#isRequested || this.#mode !== 'idle' || !this.#options.isOpen()) return;
    this.#mode = 'scheduled';
    process.nextTick(() => this.#fetch());
  }

  /** The poll: also fetches after a failure. */
  poll(): void {
    if (this.#mode === 'on hold') this.#mode = 'idle';
    this.request();
  }

  async #fetch(): Promise<void> {
    this.#mode = 'idle';
    const { deliveries, buffer, inFlight, leaseMs, clock, monotonic, isOpen, onFailed, onFetched } =
      this.#options;
    // The next delivery that settles makes room and resumes.
    if (!buffer.isLow || !isOpen()) return;
    const since = monotonic();
    const gapMs = clock.gapMs(since);
    // A process that was away for longer than a lease would claim deliveries whose results it is still writing.
    // These are written first.
    if (inFlight.hasOverdue(since)) return;
    this.#mode = 'fetching';
    this.#isRequested = false;
    let claims: readonly Claim[] = [];
    try {
      claims = [...(await deliveries.claim({ ...buffer.capacity, leaseMs }))];
      this.#mode = 'idle';
    } catch (error) {
      this.#mode = 'on hold';
      onFailed(error as PosthornError);
    }
    // There may be more.
    if (claims.length > 0) this.#isRequested = true;
    onFetched(claims, since, gapMs);
  }
}
