import type { HeldClaim } from './claim-counts.js';
import type { Deliverer, Flight, Tower } from './deliver.js';
import type { Slots } from './slots.js';

export interface FlightsOptions {
  readonly deliverer: Deliverer;
  readonly slots: Slots;
  /** Called when a slot has become free. */
  readonly onFree: () => void;
  /** Called when a claim is held no more; others may be had now that could not before. */
  readonly onLanded: (held: HeldClaim, mayFreeOther: boolean) => void;
}

/** The deliveries that are under way: begun, sent, or their results being written. */
export class Flights {
  readonly #options: FlightsOptions;
  readonly #flights = new Map<HeldClaim, Flight>();
  #isStarting = false;
  /** What is sent takes a slot until there is an answer, and is held until that is written. */
  readonly #sent: Tower = {
    onAnswered: ({ held }) => {
      this.#options.slots.free(held);
      this.#options.onFree();
    },
    onLanded: ({ held }) => this.#land(held, this.#options.slots.forget(held)),
  };
  readonly #released: Tower = {
    onAnswered: () => {},
    onLanded: ({ held }) => this.#land(held, false),
  };

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flights.size;
  }

  get held(): Iterable<HeldClaim> {
    return this.#flights.keys();
  }

  /** Starts what waits, as far as there are slots. */
  start(): void {
    // What is not sent at all is answered while it is being started.
    if (this.#isStarting) return;
    this.#isStarting = true;
    const { slots, deliverer } = this.#options;
    for (let held = slots.next(); held; held = slots.next()) {
      this.#follow(deliverer.deliver(held, this.#sent));
    }
    this.#isStarting = false;
  }

  /** Gives back what was never started, and is in no slot. */
  release(held: HeldClaim): void {
    this.#follow(this.#options.deliverer.release(held, this.#released));
  }

  /** Ends the one of this claim. False where it is not under way. */
  end(held: HeldClaim, why: 'released' | 'lost'): boolean {
    const flight = this.#flights.get(held);
    flight?.end(why);
    return flight !== undefined;
  }

  releaseAll(): void {
    for (const flight of this.#flights.values()) flight.end('released');
  }

  /** Whether a result is being written whose lease is over, so that a claim would take the delivery away. */
  hasOverdue(now: number): boolean {
    for (const { isAnswered, held } of this.#flights.values()) {
      if (isAnswered && held.heldUntil <= now) return true;
    }
    return false;
  }

  #follow(flight: Flight): void {
    this.#flights.set(flight.held, flight);
    flight.start();
  }

  #land(held: HeldClaim, mayFreeRoom: boolean): void {
    this.#flights.delete(held);
    // What waited for room, or behind this one.
    this.#options.onLanded(held, mayFreeRoom || held.claim.event.orderingKey !== null);
  }
}
