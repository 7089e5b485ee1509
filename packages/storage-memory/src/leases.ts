import type { Claim } from '@posthorn/core';
import type { DeliveryEntry } from './entries.js';

/**
 * Who has what: the lease of each delivery that is being sent, under the token that names it, and whether its attempt has
 * begun. A lease that is over goes on until another is opened.
 */
export class Leases {
  readonly #entries = new Map<string, DeliveryEntry>();
  /** When the attempts that are under way began. */
  readonly #begun = new Map<DeliveryEntry, number>();
  /** When those began whose worker was lost before it wrote how they went. */
  readonly #lost = new WeakMap<DeliveryEntry, number>();
  #count = 0;

  /** Opens one in place of the last. `lostAt` says when an attempt began that is not on record, if there is one. */
  open(entry: DeliveryEntry): { readonly token: string; readonly lostAt: number | undefined } {
    const begunAt = this.#begun.get(entry);
    if (begunAt !== undefined) this.#lost.set(entry, begunAt);
    this.end(entry);
    const token = String(++this.#count);
    entry.token = token;
    this.#entries.set(token, entry);
    return { token, lostAt: this.#lost.get(entry) };
  }

  /** What the claim's token names, as long as it does. */
  of({ token, deliveryId }: Pick<Claim, 'token' | 'deliveryId'>): DeliveryEntry | undefined {
    const entry = this.#entries.get(token);
    return entry?.id === deliveryId ? entry : undefined;
  }

  /** Ends the lease, if there is one, with the attempt that began under it. */
  end(entry: DeliveryEntry): void {
    if (entry.token !== undefined) this.#entries.delete(entry.token);
    entry.token = undefined;
    this.#begun.delete(entry);
  }

  /** True where the attempt begins with this: under this lease it may have begun before. */
  begin(entry: DeliveryEntry, at: number): boolean {
    if (this.#begun.has(entry)) return false;
    this.#begun.set(entry, at);
    return true;
  }

  hasBegun(entry: DeliveryEntry): boolean {
    return this.#begun.has(entry);
  }

  /** Whatever was lost is on record, or does not matter any more. */
  forgetLost(entry: DeliveryEntry): void {
    this.#lost.delete(entry);
  }
}
