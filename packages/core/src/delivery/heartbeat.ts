import type { PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { DeliveryStore } from '../storage/ports.js';
import type { HeldClaim } from './claim-counts.js';

export interface HeartbeatOptions {
  readonly deliveries: Pick<DeliveryStore, 'renew'>;
  readonly leaseMs: number;
  readonly lifecycle: LifecycleEmitter;
  readonly monotonic: () => number;
  /** The claims of this process. */
  readonly held: () => Iterable<HeldClaim>;
  /** Called with a claim whose lease could not be renewed. */
  readonly onLost: (held: HeldClaim) => void;
}

/** Renews leases, three times within the length of one. Claims younger than one beat are skipped: most settle sooner. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  /** Claims whose lease has seen a beat. */
  #aging = new Set<HeldClaim>();
  #isRenewing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#beat(), this.#options.leaseMs / 3).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Stops renewing a settled claim. */
  forget(held: HeldClaim): void {
    this.#aging.delete(held);
  }

  async #beat(): Promise<void> {
    // A slow storage is not asked twice for the same leases.
    if (this.#isRenewing) return;
    const { deliveries, leaseMs, lifecycle, monotonic, held, onLost } = this.#options;
    const aging = [...this.#aging];
    this.#aging = new Set(held());
    if (aging.length === 0) return;
    this.#isRenewing = true;
    try {
      const heldUntil = monotonic() + leaseMs;
      const claims = aging.map(({ claim }) => claim);
      const renewed = new Set((await deliveries.renew(claims, leaseMs)).map(({ token }) => token));
      for (const one of aging) {
        if (renewed.has(one.claim.token)) one.heldUntil = heldUntil;
        else onLost(one);
      }
    } catch (error) {
      lifecycle.emit('error', () => error as PosthornError);
    } finally {
      this.#isRenewing = false;
    }
  }
}
