import type { PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import type { StorageClock } from '../storage/clock.js';
import type { Claim, ClaimOptions, DeliveryStore } from '../storage/ports.js';
import type { HeldClaim } from './claim-counts.js';
import type { Deliverer } from './deliver.js';
import { Flights } from './flights.js';
import { Heartbeat } from './heartbeat.js';
import type { Recorder } from './recorder.js';
import { Slots, type SlotsOptions } from './slots.js';
import { Waiters } from './waiters.js';

export interface WorkerOptions extends Omit<SlotsOptions, 'soonMs'> {
  readonly deliveries: Pick<DeliveryStore, 'claim' | 'renew'>;
  readonly deliverer: Deliverer;
  readonly recorder: Recorder;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly clock: StorageClock;
  readonly monotonic: () => number;
  readonly announcer: Announcer;
}

/** First attempts begin with their claim where they are sent within that time: if the worker is lost, all of them are on record. */
const maxSoonMs = 1_000;

/**
 * Decides when to claim and how much: as much as there is room for, whenever something may be due. It is told so by
 * `wake`, by a poll, and by every delivery that lands. There is one claim under way at a time, and one hand-over beside
 * it: were either to wait for the other, each publish would leave something to claim, and each claim find something.
 * Together they may bring twice as much as there is room for; it waits here, as what is sent is limited anyway.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #slots: Slots;
  readonly #heartbeat: Heartbeat;
  readonly #flights: Flights;
  #isRunning = false;
  #wasStarted = false;
  #stopping: Promise<void> | undefined;
  /** Who waits until nothing is due, and who until nothing is under way. */
  readonly #drains = new Waiters();
  readonly #idleWaits = new Waiters();
  #isAsking = false;
  #willAdvance = false;
  /** What is being published may come back claimed: how the clocks were apart before that was asked for. */
  #handOverGapMs: number | undefined;
  #shouldLook = false;
  #willLook = false;
  /** The storage failed: only the next poll asks it again. */
  #isOnHold = false;
  #poll: NodeJS.Timeout | undefined;
  /** Runs once deliveries were released. */
  #patience: NodeJS.Timeout | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const soonMs = Math.min(maxSoonMs, options.leaseMs / 4);
    this.#slots = new Slots({ ...options, soonMs }, options.monotonic);
    this.#flights = new Flights({
      deliverer: options.deliverer,
      slots: this.#slots,
      onFree: () => this.#advanceSoon(),
      onLanded: (held, mayFreeOther) => this.#land(held, mayFreeOther),
    });
    this.#heartbeat = new Heartbeat({
      ...options,
      held: () => this.#held(),
      onLost: (held) => this.#lose(held),
    });
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#wasStarted = true;
    this.#poll = setInterval(() => this.#again(), this.#options.pollMs);
    this.#options.announcer.announce('worker:started');
    this.#again();
  }

  /** Claims no more, waits `graceMs` for what is under way, and gives back the rest. A second call may be less patient. */
  stop(graceMs: number): Promise<void> {
    this.#isRunning = false;
    clearInterval(this.#poll);
    this.#stopping ??= this.#untilIdle().finally(() => {
      this.#stopping = undefined;
      // Whoever wanted to start or drain meanwhile.
      this.#again();
    });
    // What has not begun is given back at once.
    this.#advance();
    const grace = setTimeout(() => this.#releaseAll(), graceMs);
    return this.#stopping.finally(() => clearTimeout(grace));
  }

  /** Resolves when nothing is due and nothing under way, or the worker was stopped. Rejects where a claim fails. */
  drain(): Promise<void> {
    const drained = this.#drains.add();
    this.#again();
    return drained;
  }

  /** Says that something may be due. */
  wake(): void {
    this.#shouldLook = true;
    if (this.#willLook || this.#isOnHold || !this.#isOpen) return;
    this.#willLook = true;
    // After everything else of this turn: several results, or several events, make one claim.
    process.nextTick(() => this.#look());
  }

  /** Says that something will be due in `ms`. What is further away than the next poll is left to it. */
  wakeIn(ms: number): void {
    // A timer may ring a millisecond early by the storage's clock, and nobody would look again before the poll.
    if (ms < this.#options.pollMs) setTimeout(() => this.wake(), ms + 1).unref();
  }

  /** Whether this process could send more than it does. */
  get hasRoom(): boolean {
    return this.#isOpen && this.#slots.hasRoom;
  }

  /** What of the events about to be published may come back claimed; `take` must follow. Undefined without room. */
  reserve(): ClaimOptions | undefined {
    if (this.#handOverGapMs !== undefined || !this.#isOpen) return undefined;
    const room = this.#slots.roomForOwn;
    if (room.limit <= 0) return undefined;
    this.#handOverGapMs = this.#options.clock.gapMs();
    return { ...room, leaseMs: this.#options.leaseMs };
  }

  /**
   * Takes over what was claimed since `since`, in monotonic time, and starts it as far as there are slots; a worker that
   * is stopping gives it back.
   */
  take(claims: readonly Claim[], since: number): void {
    const gapMs = this.#handOverGapMs!;
    this.#handOverGapMs = undefined;
    // A look that came to nothing meanwhile could not end them.
    this.#shouldLook ||= this.#drains.areAny;
    this.#takeIn(claims, since, gapMs);
  }

  /** `gapMs` is of before it was asked for, too: the machine may have slept until the answer was heard. */
  #takeIn(claims: readonly Claim[], since: number, gapMs: number): void {
    const heldUntil = since + this.#options.leaseMs;
    for (const claim of claims) this.#slots.add({ claim, heldUntil, gapMs });
    if (!this.#slots.isEmpty) this.#heartbeat.start();
    this.#advance();
    if (this.#shouldLook) this.wake();
    this.#checkIdle();
  }

  get #isOpen(): boolean {
    return !this.#stopping && (this.#isRunning || this.#drains.areAny);
  }

  get #isIdle(): boolean {
    const isHandedOver = this.#handOverGapMs !== undefined;
    return this.#slots.isEmpty && this.#flights.size === 0 && !this.#isAsking && !isHandedOver;
  }

  #again(): void {
    this.#isOnHold = false;
    this.wake();
  }

  /** Starts what waits, as far as there are slots. */
  #advance(): void {
    if (this.#isOpen) this.#flights.start();
    else for (const held of this.#slots.takeWaiting()) this.#flights.release(held);
  }

  /** After the other answers of this turn of the event loop: what is sent together costs less. */
  #advanceSoon(): void {
    if (this.#willAdvance) return;
    this.#willAdvance = true;
    setImmediate(() => {
      this.#willAdvance = false;
      this.#advance();
    });
  }

  #land(held: HeldClaim, mayFreeOther: boolean): void {
    this.#heartbeat.forget(held);
    if (this.#slots.isEmpty) this.#heartbeat.stop();
    if (mayFreeOther || this.#shouldLook || this.#drains.areAny) this.wake();
    this.#checkIdle();
  }

  async #look(): Promise<void> {
    this.#willLook = false;
    // Whoever is asking, or lands and makes room, wakes again.
    if (!this.#slots.isLow || this.#isAsking || !this.#isOpen) return;
    const { deliveries, leaseMs, clock, monotonic, announcer } = this.#options;
    const since = monotonic();
    const gapMs = clock.gapMs(since);
    // A process that was away for longer than a lease would claim what it is just writing the result of.
    if (this.#flights.hasOverdue(since)) return;
    this.#isAsking = true;
    this.#shouldLook = false;
    let claims: readonly Claim[] = [];
    try {
      claims = [...(await deliveries.claim({ ...this.#slots.room, leaseMs }))];
      this.#shouldLook ||= claims.length > 0;
    } catch (error) {
      this.#isOnHold = true;
      const failure = error as PosthornError;
      if (!this.#drains.fail(failure)) announcer.announce('error', () => failure);
    }
    this.#isAsking = false;
    this.#takeIn(claims, since, gapMs);
    if (this.#isIdle && !this.#shouldLook) this.#drains.end();
  }

  /** All that is claimed, but for what waits here in vain: that may be sent by others. */
  #held(): Iterable<HeldClaim> {
    for (const held of this.#slots.takeStuck()) this.#flights.release(held);
    return [...this.#flights.held, ...this.#slots.waiting()];
  }

  #lose(held: HeldClaim): void {
    if (!this.#flights.end(held, 'lost')) this.#slots.drop(held);
  }

  async #untilIdle(): Promise<void> {
    const idle = this.#idleWaits.add();
    this.#checkIdle();
    await idle;
    // Whatever could not be written by now is left to whoever claims it next.
    this.#options.recorder.abandon();
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#drains.end();
    if (this.#wasStarted) this.#options.announcer.announce('worker:stopped');
    this.#wasStarted = this.#isRunning;
  }

  #releaseAll(): void {
    this.#flights.releaseAll();
    // A storage that hangs is not waited for beyond the lease: then what is under way is anybody's.
    this.#patience ??= setTimeout(() => this.#idleWaits.end(), this.#options.leaseMs);
  }

  #checkIdle(): void {
    if (this.#isIdle) this.#idleWaits.end();
  }
}
