import type { Claim } from '@posthorn/core';
import type { DeliveryEntry } from './entries.js';

interface Lease {
  readonly entry: DeliveryEntry;
  /** Of what is sent: the delivery, or the digest that it led when the lease was opened. */
  readonly deliveryId: string;
  /** When its attempt began, if it has. */
  begunAt: number | undefined;
}

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
  readonly #leases = new Map<string, Lease>();
  /** When those began whose worker was lost before it wrote how they went. */
  readonly #lost = new WeakMap<DeliveryEntry, number>();
  readonly #uncounted = new WeakMap<DeliveryEntry, number>();
  #count = 0;

  /** Opens one in place of the last. */
  open(entry: DeliveryEntry): OpenedLease {
    const begunAt = this.#of(entry)?.begunAt;
    if (begunAt !== undefined) this.#lost.set(entry, begunAt);
    this.end(entry);
    const token = String(++this.#count);
    entry.token = token;
    const deliveryId = entry.id;
    this.#leases.set(token, { entry, deliveryId, begunAt: undefined });
    return { token, deliveryId, lostAt: this.#lost.get(entry), uncounted: this.#uncounted.get(entry) };
  }

  /** What the claim's token names, as long as it does. */
  of({ token, deliveryId }: Pick<Claim, 'token' | 'deliveryId'>): DeliveryEntry | undefined {
    const lease = this.#leases.get(token);
    return lease?.deliveryId === deliveryId ? lease.entry : undefined;
  }

  /** Ends the lease, if there is one, with the attempt that began under it. */
  end(entry: DeliveryEntry): void {
    if (entry.token !== undefined) this.#leases.delete(entry.token);
    entry.token = undefined;
  }

  /** True where the attempt begins with this: under this lease it may have begun before. */
  begin(entry: DeliveryEntry, at: number): boolean {
    const lease = this.#of(entry);
    if (!lease || lease.begunAt !== undefined) return false;
    lease.begunAt = at;
    return true;
  }

  hasBegun(entry: DeliveryEntry): boolean {
    return this.#of(entry)?.begunAt !== undefined;
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

  #of({ token }: DeliveryEntry): Lease | undefined {
    return token === undefined ? undefined : this.#leases.get(token);
  }
}
