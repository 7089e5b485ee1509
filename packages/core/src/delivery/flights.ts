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
  /**
   * In any order. No Map: the table that a Map outgrows, as it does time and again where much comes and goes, keeps the next
   * one alive, and all that is in it, until a collection of everything. That was half of what collecting garbage cost.
   */
  readonly #flights: Flight[] = [];
  #isStarting = false;
  /** What is sent takes a slot until there is an answer, and is held until that is written. */
  readonly #sent: Tower = {
    onAnswered: ({ held }) => {
      this.#options.slots.free(held);
      this.#options.onFree();
    },
    onLanded: (flight) => this.#land(flight, this.#options.slots.forget(flight.held)),
  };
  readonly #released: Tower = {
    onAnswered: () => {},
    onLanded: (flight) => this.#land(flight, false),
  };

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flights.length;
  }

  get held(): readonly HeldClaim[] {
    return this.#flights.map(({ held }) => held);
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
    const flight = this.#flights.find((each) => each.held === held);
    flight?.end(why);
    return flight !== undefined;
  }

  releaseAll(): void {
    for (const flight of [...this.#flights]) flight.end('released');
  }

  /** Whether a result is being written whose lease is over, so that a claim would take the delivery away. */
  hasOverdue(now: number): boolean {
    return this.#flights.some(({ isAnswered, held }) => isAnswered && held.heldUntil <= now);
  }

  #follow(flight: Flight): void {
    flight.place = this.#flights.push(flight) - 1;
    flight.start();
  }

  #land(flight: Flight, mayFreeRoom: boolean): void {
    const { held, place } = flight;
    const last = this.#flights.pop()!;
    if (last !== flight) {
      last.place = place;
      this.#flights[place] = last;
    }
    // What waited for room, or behind this one.
    this.#options.onLanded(held, mayFreeRoom || held.claim.event.orderingKey !== null);
  }
}
