import type { Deliverer, Flight } from './deliver.js';
import type { PosthornError } from './errors.js';
import type { Announcer } from './lifecycle.js';
import type { Claim, ClaimOptions, DeliveryStore } from './ports.js';

export interface WorkerOptions {
  readonly deliveries: Pick<DeliveryStore, 'claim' | 'renew'>;
  readonly deliverer: Deliverer;
  readonly concurrency: number;
  readonly webhookConcurrency: number;
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
 * `wake`, by a poll, and by every delivery that lands. There is one claim under way at a time, so that the limits hold.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #flights = new Set<Flight>();
  readonly #byWebhook = new Map<string, number>();
  /** Flights whose lease has seen a heartbeat. */
  #aging = new Set<Flight>();
  #isRunning = false;
  #wasStarted = false;
  #stopping: Promise<void> | undefined;
  #drains: Drain[] = [];
  #onIdle: (() => void)[] = [];
  #isAsking = false;
  #shouldLook = false;
  #willLook = false;
  /** The storage failed: only the next poll asks it again. */
  #isOnHold = false;
  #poll: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Runs once deliveries were released. */
  #patience: NodeJS.Timeout | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
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
    if (ms < this.#options.pollMs) setTimeout(() => this.wake(), ms).unref();
  }

  /** What may be claimed now; `take` must follow. Undefined where there is no room, or someone is asking already. */
  reserve(): ClaimOptions | undefined {
    const { concurrency, webhookConcurrency, leaseMs } = this.#options;
    const limit = concurrency - this.#flights.size;
    if (this.#isAsking || limit <= 0 || !this.#isOpen) return undefined;
    this.#isAsking = true;
    return { limit, leaseMs, webhookLimit: webhookConcurrency, inFlight: this.#byWebhook };
  }

  /** Starts what was claimed; a worker that is stopping gives it back. */
  take(claims: readonly Claim[]): void {
    const { deliverer, leaseMs } = this.#options;
    this.#isAsking = false;
    for (const claim of claims) {
      const flight = this.#isOpen ? deliverer.deliver(claim) : deliverer.release(claim);
      this.#flights.add(flight);
      this.#byWebhook.set(claim.webhook.id, (this.#byWebhook.get(claim.webhook.id) ?? 0) + 1);
      void flight.landed.then(() => this.#land(flight));
    }
    if (this.#flights.size > 0)
      this.#heartbeat ??= setInterval(() => void this.#renew(), leaseMs / 3).unref();
    if (this.#shouldLook) this.wake();
    this.#checkIdle();
  }

  get #isOpen(): boolean {
    return !this.#stopping && (this.#isRunning || this.#drains.length > 0);
  }

  get #isIdle(): boolean {
    return this.#flights.size === 0 && !this.#isAsking;
  }

  #again(): void {
    this.#isOnHold = false;
    this.wake();
  }

  async #look(): Promise<void> {
    this.#willLook = false;
    const ask = this.reserve();
    // Whoever is asking, or lands and makes room, wakes again.
    if (!ask) return;
    this.#shouldLook = false;
    let claims: readonly Claim[] = [];
    try {
      claims = [...(await this.#options.deliveries.claim(ask))];
      this.#shouldLook ||= claims.length > 0;
    } catch (error) {
      this.#isOnHold = true;
      this.#failed(error as PosthornError);
    }
    this.take(claims);
    if (this.#isIdle && !this.#shouldLook) this.#endDrains();
  }

  #land(flight: Flight): void {
    const { id } = flight.claim.webhook;
    const left = this.#byWebhook.get(id)! - 1;
    if (left > 0) this.#byWebhook.set(id, left);
    else this.#byWebhook.delete(id);
    this.#flights.delete(flight);
    this.#aging.delete(flight);
    if (this.#flights.size === 0) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
    }
    this.wake();
    this.#checkIdle();
  }

  /** Renews the leases that are older than one heartbeat, and lets go of those that are lost. */
  async #renew(): Promise<void> {
    const aging = [...this.#aging];
    this.#aging = new Set(this.#flights);
    if (aging.length === 0) return;
    try {
      const claims = aging.map(({ claim }) => claim);
      const held = new Set(
        (await this.#options.deliveries.renew(claims, this.#options.leaseMs)).map(({ token }) => token),
      );
      for (const flight of aging) if (!held.has(flight.claim.token)) flight.end('lost');
    } catch (error) {
      this.#options.announcer.announce('error', () => error as PosthornError);
    }
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
    for (const flight of this.#flights) flight.end('released');
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
