import type { Claim } from '@posthorn/core';
import type { DeliveryEntry, Lease } from './entries.js';

export interface OpenedLease {
  readonly token: string;
  readonly deliveryId: string;
  /** When an attempt began that is not on record, if there is one. */
  readonly lostAt: number | undefined;
  /** How many attempts the schedule leaves out, if there are any. */
  readonly uncounted: number | undefined;
}

/**
 * Who has what: the lease of each delivery that is being sent, under the token that names it, and whether its attempt has
 * begun. A lease that is over goes on until another is opened.
 */
export class Leases {
  /** Places, some of them free. A Map would be outgrown time and again: see Flights in core. */
  readonly #leases: (Lease | undefined)[] = [];
  readonly #free: number[] = [];
  /** When those began whose worker was lost before it wrote how they went. */
  readonly #lost = new WeakMap<DeliveryEntry, number>();
  readonly #uncounted = new WeakMap<DeliveryEntry, number>();
  #count = 0;

  /** Opens one in place of the last. */
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

  /** What the claim's token names, as long as it does. */
  of({ token, deliveryId }: Pick<Claim, 'token' | 'deliveryId'>): DeliveryEntry | undefined {
    const lease = this.#leases[Number.parseInt(token, 10)];
    return lease?.token === token && lease.deliveryId === deliveryId ? lease.entry : undefined;
  }

  /** Ends the lease, if there is one, with the attempt that began under it. */
  end(entry: DeliveryEntry): void {
    if (!entry.lease) return;
    const { place } = entry.lease;
    this.#leases[place] = undefined;
    this.#free.push(place);
    entry.lease = undefined;
  }

  /** True where the attempt begins with this: under this lease it may have begun before. */
  begin(entry: DeliveryEntry, at: number): boolean {
    const { lease } = entry;
    if (!lease || lease.begunAt !== undefined) return false;
    lease.begunAt = at;
    return true;
  }

  hasBegun(entry: DeliveryEntry): boolean {
    return entry.lease?.begunAt !== undefined;
  }

  /** Whatever was lost is on record, or does not matter any more. */
  forgetLost(entry: DeliveryEntry): void {
    this.#lost.delete(entry);
  }

  /** The schedule leaves out an attempt. */
  leaveOut(entry: DeliveryEntry): void {
    this.#uncounted.set(entry, (this.#uncounted.get(entry) ?? 0) + 1);
  }

  /** The schedule is a new one, and leaves out nothing yet. */
  countAll(entry: DeliveryEntry): void {
    this.#uncounted.delete(entry);
  }
}
