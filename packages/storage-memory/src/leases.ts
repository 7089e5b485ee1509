import type { Claim } from '@posthorn/core/storage';
import type { DeliveryEntry, Lease } from './entries.js';

export interface OpenedLease {
  readonly token: string;
  readonly deliveryId: string;
  /** The time when an unrecorded attempt began, if there is one. */
  readonly lostAt: number | undefined;
  /** The number of attempts that the schedule leaves out, if there are any. */
  readonly uncounted: number | undefined;
}

/**
 * The lease of each delivery in flight, under the token that names it, and whether its attempt has begun. A lease that
 * has expired stays until another one is opened.
 */
export class Leases {
  /** Slots, some of them free. A Map would have to grow again and again: see InFlight in core. */
  readonly #leases: (Lease | undefined)[] = [];
  readonly #free: number[] = [];
  /** The start times of attempts whose worker died before it recorded the result. */
  readonly #lost = new WeakMap<DeliveryEntry, number>();
  readonly #uncounted = new WeakMap<DeliveryEntry, number>();
  #count = 0;

  /** Opens a lease, which replaces the last one. */
  open(entry: DeliveryEntry): OpenedLease {
    const begunAt = entry.lease?.begunAt;
    if (begunAt !== undefined) this.#lost.set(entry, begunAt);
    this.end(entry);
    const place = this.#free.pop() ?? this.#leases.length;
    const token = `${place}.${++this.#count}`;
    const deliveryId = entry.id;
    entry.lease = { entry, token, place, deliveryId, begunAt: undefined };
    this.#leases[place] = entry.lease;
    return { token, deliveryId, lostAt: this.#lost.get(entry), uncounted: this.#uncounted.get(entry) };
  }

  /** Returns the delivery of the claim's token, while the token is valid. */
  of({ token, deliveryId }: Pick<Claim, 'token' | 'deliveryId'>): DeliveryEntry | undefined {
    const lease = this.#leases[Number.parseInt(token, 10)];
    return lease?.token === token && lease.deliveryId === deliveryId ? lease.entry : undefined;
  }

  /** Ends the lease, if there is one, and the attempt that began under it. */
  end(entry: DeliveryEntry): void {
    if (!entry.lease) return;
    const { place } = entry.lease;
    this.#leases[place] = undefined;
    this.#free.push(place);
    entry.lease = undefined;
  }

  /** Begins the attempt. Returns false where it had already begun under this lease. */
  begin(entry: DeliveryEntry, at: number): boolean {
    const { lease } = entry;
    if (!lease || lease.begunAt !== undefined) return false;
    lease.begunAt = at;
    return true;
  }

  hasBegun(entry: DeliveryEntry): boolean {
    return entry.lease?.begunAt !== undefined;
  }

  /** Clears the lost attempt: it is recorded, or no longer matters. */
  forgetLost(entry: DeliveryEntry): void {
    this.#lost.delete(entry);
  }

  /** Leaves out an attempt from the schedule. */
  leaveOut(entry: DeliveryEntry): void {
    this.#uncounted.set(entry, (this.#uncounted.get(entry) ?? 0) + 1);
  }

  /** Restarts the schedule, which leaves out nothing yet. */
  countAll(entry: DeliveryEntry): void {
    this.#uncounted.delete(entry);
  }
}
