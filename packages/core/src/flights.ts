import type { Flight } from './deliver.js';
import type { HeldClaim } from './slots.js';

/** The deliveries that are under way: begun, sent, or their results being written. */
export class Flights {
  readonly #flights = new Map<HeldClaim, Flight>();
  /** Those that are answered, and whose results are being written. */
  readonly #answered = new Set<HeldClaim>();

  get size(): number {
    return this.#flights.size;
  }

  get held(): Iterable<HeldClaim> {
    return this.#flights.keys();
  }

  add(flight: Flight): void {
    this.#flights.set(flight.held, flight);
  }

  answered(held: HeldClaim): void {
    this.#answered.add(held);
  }

  landed(held: HeldClaim): void {
    this.#flights.delete(held);
    this.#answered.delete(held);
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
    for (const { heldUntil } of this.#answered) if (heldUntil <= now) return true;
    return false;
  }
}
