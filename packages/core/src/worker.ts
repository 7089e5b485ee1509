import type { Deliverer, Flight } from './deliver.js';
import type { PosthornError } from './errors.js';
import { Heartbeat } from './heartbeat.js';
import type { Announcer } from './lifecycle.js';
import type { Claim, ClaimOptions, DeliveryStore } from './ports.js';
import { type Room, Slots, type SlotsOptions } from './slots.js';

export interface WorkerOptions extends SlotsOptions {
  readonly deliveries: Pick<DeliveryStore, 'claim' | 'renew'>;
  readonly deliverer: Deliverer;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly announcer: Announcer;
}

interface Drain {
  readonly resolve: () => void;
  readonly reject: (error: PosthornError) => void;
}

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
  readonly #flights = new Map<Claim, Flight>();
  #isRunning = false;
  #wasStarted = false;
  #stopping: Promise<void> | undefined;
  #drains: Drain[] = [];
  #onIdle: (() => void)[] = [];
  #isAsking = false;
  /** What is being published may come back claimed. */
  #isHandedOver = false;
  #shouldLook = false;
  #willLook = false;
  /** The storage failed: only the next poll asks it again. */
  #isOnHold = false;
  #poll: NodeJS.Timeout | undefined;
  /** Runs once deliveries were released. */
  #patience: NodeJS.Timeout | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#slots = new Slots(options);
    this.#heartbeat = new Heartbeat({
      ...options,
      held: () => this.#held(),
      onLost: (claim) => this.#lose(claim),
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
    const grace = setTimeout(() => this.#release(), graceMs);
    return this.#stopping.finally(() => clearTimeout(grace));
  }

  /** Resolves when nothing is due and nothing under way, or the worker was stopped. Rejects where a claim fails. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#drains.push({ resolve, reject });
      this.#again();
    });
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
    return this.#isOpen && this.#slots.room.limit > 0;
  }

  /** What of the events about to be published may come back claimed; `take` must follow. Undefined without room. */
  reserve(): ClaimOptions | undefined {
    const ask = this.#isHandedOver ? undefined : this.#askFor(this.#slots.roomForOwn);
    this.#isHandedOver ||= ask !== undefined;
    return ask;
  }

  #askFor(room: Room): ClaimOptions | undefined {
    return this.#isOpen && room.limit > 0 ? { ...room, leaseMs: this.#options.leaseMs } : undefined;
  }

  /** Starts what was claimed, as far as there are slots; a worker that is stopping gives it back. */
  take(claims: readonly Claim[]): void {
    this.#isHandedOver = false;
    // A look that came to nothing meanwhile could not end them.
    this.#shouldLook ||= this.#drains.length > 0;
    this.#takeIn(claims);
  }

  #takeIn(claims: readonly Claim[]): void {
    for (const claim of claims) this.#slots.add(claim);
    if (!this.#slots.isEmpty) this.#heartbeat.start();
    this.#advance();
    if (this.#shouldLook) this.wake();
    this.#checkIdle();
  }

  get #isOpen(): boolean {
    return !this.#stopping && (this.#isRunning || this.#drains.length > 0);
  }

  get #isIdle(): boolean {
    return this.#slots.isEmpty && this.#flights.size === 0 && !this.#isAsking && !this.#isHandedOver;
  }

  #again(): void {
    this.#isOnHold = false;
    this.wake();
  }

  /** Starts what waits, as far as there are slots. */
  #advance(): void {
    if (!this.#isOpen) {
      for (const claim of this.#slots.takeWaiting()) this.#follow(this.#options.deliverer.release(claim));
      return;
    }
    for (let claim = this.#slots.next(); claim; claim = this.#slots.next()) {
      this.#follow(this.#options.deliverer.deliver(claim), claim);
    }
  }

  /** `sent` is the claim that takes a slot. */
  #follow(flight: Flight, sent?: Claim): void {
    this.#flights.set(flight.claim, flight);
    void flight.landed.then(() => this.#land(flight.claim, sent));
  }

  #land(claim: Claim, sent: Claim | undefined): void {
    this.#flights.delete(claim);
    this.#heartbeat.forget(claim);
    // Only what could not be had before can be there now: it waited for room, or behind this one.
    const mayFreeOther = (sent && this.#slots.free(sent)) || claim.event.orderingKey !== null;
    this.#advance();
    if (this.#slots.isEmpty) this.#heartbeat.stop();
    if (mayFreeOther || this.#shouldLook || this.#drains.length > 0) this.wake();
    this.#checkIdle();
  }

  async #look(): Promise<void> {
    this.#willLook = false;
    // Whoever is asking, or lands and makes room, wakes again.
    const ask = this.#slots.isLow && !this.#isAsking ? this.#askFor(this.#slots.room) : undefined;
    if (!ask) return;
    this.#isAsking = true;
    this.#shouldLook = false;
    let claims: readonly Claim[] = [];
    try {
      claims = [...(await this.#options.deliveries.claim(ask))];
      this.#shouldLook ||= claims.length > 0;
    } catch (error) {
      this.#isOnHold = true;
      this.#failed(error as PosthornError);
    }
    this.#isAsking = false;
    this.#takeIn(claims);
    if (this.#isIdle && !this.#shouldLook) this.#endDrains();
  }

  /** All that is claimed, but for what waits here in vain: that may be sent by others. */
  #held(): Iterable<Claim> {
    for (const claim of this.#slots.takeStuck()) this.#follow(this.#options.deliverer.release(claim));
    return [...this.#flights.keys(), ...this.#slots.waiting()];
  }

  #lose(claim: Claim): void {
    const flight = this.#flights.get(claim);
    if (flight) flight.end('lost');
    else this.#slots.drop(claim);
  }

  async #untilIdle(): Promise<void> {
    await this.#idle();
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#endDrains();
    if (this.#wasStarted) this.#options.announcer.announce('worker:stopped');
    this.#wasStarted = this.#isRunning;
  }

  #release(): void {
    for (const flight of this.#flights.values()) flight.end('released');
    // A storage that hangs is not waited for beyond the lease: then what is under way is anybody's.
    this.#patience ??= setTimeout(() => this.#endIdleWaits(), this.#options.leaseMs);
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.#isIdle) this.#endIdleWaits();
  }

  #endIdleWaits(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #endDrains(): void {
    for (const { resolve } of this.#drains.splice(0)) resolve();
  }

  #failed(error: PosthornError): void {
    const drains = this.#drains.splice(0);
    for (const { reject } of drains) reject(error);
    if (drains.length === 0) this.#options.announcer.announce('error', () => error);
  }
}
