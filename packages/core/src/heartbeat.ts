import type { PosthornError } from './errors.js';
import type { Announcer } from './lifecycle.js';
import type { Claim, DeliveryStore } from './ports.js';

export interface HeartbeatOptions {
  readonly deliveries: Pick<DeliveryStore, 'renew'>;
  readonly leaseMs: number;
  readonly announcer: Announcer;
  /** All that this process has claimed. */
  readonly held: () => Iterable<Claim>;
  /** Called with what is another's now, or nobody's. */
  readonly onLost: (claim: Claim) => void;
}

/** Three times within a lease: renews what has seen a beat before, which most claims do not live to see. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  /** Claims whose lease has seen a beat. */
  #aging = new Set<Claim>();
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

  /** A claim that has landed. */
  forget(claim: Claim): void {
    this.#aging.delete(claim);
  }

  async #beat(): Promise<void> {
    // A storage that is slow to answer is not asked twice for the same.
    if (this.#isRenewing) return;
    const { deliveries, leaseMs, announcer, held, onLost } = this.#options;
    const aging = [...this.#aging];
    this.#aging = new Set(held());
    if (aging.length === 0) return;
    this.#isRenewing = true;
    try {
      const renewed = await deliveries.renew(aging, leaseMs);
      const tokens = new Set(renewed.map(({ token }) => token));
      for (const claim of aging) if (!tokens.has(claim.token)) onLost(claim);
    } catch (error) {
      announcer.announce('error', () => error as PosthornError);
    } finally {
      this.#isRenewing = false;
    }
  }
}
