import type { WebhookRecord } from '@posthorn/core';
import { Alarms } from './alarms.js';
import { Chains } from './chains.js';
import { Digests } from './digests.js';
import type { DeliveryEntry, WebhookEntry } from './entries.js';
import type { Journal } from './journal.js';
import { Lanes } from './lanes.js';
import type { Leases } from './leases.js';
import type { PutOffs } from './put-offs.js';

/** The deliveries that an entry of the queue stands for: all of its digest, or itself. */
export const deliveriesOf = (entry: DeliveryEntry): readonly DeliveryEntry[] =>
  entry.isLead ? [...entry.digest!.entries] : [entry];

/** Those, and what leads them. */
export const together = (entry: DeliveryEntry): readonly DeliveryEntry[] =>
  entry.isLead ? [entry, ...entry.digest!.entries] : [entry];

/**
 * Moves deliveries between pending, sending and finished.
 *
 * A pending delivery is either in its webhook's lane, because it is due, or an alarm is set for when it will be. One
 * that is being sent has an alarm for the end of its lease, and a token by which it is found; when its lease is over
 * it goes to the lane, and its token holds until somebody claims it. So each unfinished one is in one of the two, and
 * what came due stays due, even where the clock goes back. One that gathers has an alarm for the end of its window; of
 * a digest the entry that leads it goes this way, and its deliveries share what becomes of that.
 */
export class DeliveryStates {
  readonly lanes = new Lanes();
  readonly #chains = new Chains(this.lanes);
  readonly #alarms = new Alarms();
  readonly #digests: Digests;
  readonly #leases: Leases;
  readonly #putOffs: PutOffs;
  readonly #journal: Journal;
  readonly #now: () => number;

  constructor(journal: Journal, leases: Leases, putOffs: PutOffs, now: () => number) {
    this.#journal = journal;
    this.#leases = leases;
    this.#putOffs = putOffs;
    this.#now = now;
    this.#digests = new Digests(this.#alarms, {
      formed: ({ lead }) => this.#chains.push(lead),
      left: (delivery) => {
        delivery.at = now();
        this.#chains.push(delivery);
      },
    });
  }

  /** Lets a new delivery in: it gathers, or is due. */
  enter(delivery: DeliveryEntry): void {
    if (delivery.isGathered) {
      this.#digests.gather(delivery, this.#now());
      return;
    }
    this.#chains.enter(delivery, false);
    this.#chains.push(delivery);
  }

  /** Ends the lease, if there is one, and every wait. */
  #halt(delivery: DeliveryEntry): void {
    this.#chains.remove(delivery);
    this.#alarms.remove(delivery);
    this.#leases.end(delivery);
  }

  /** Nobody gets the delivery before the instant `at`. */
  putOff(delivery: DeliveryEntry, at: number): void {
    this.#chains.remove(delivery);
    this.#alarms.set(delivery, at);
  }

  /** Lets what is due by now into the lanes, before anything newer: so they stay in the order of due times. */
  wake(): number {
    const time = this.#now();
    for (let due = this.#alarms.takeDue(time); due; due = this.#alarms.takeDue(time)) {
      if (this.#digests.gathers(due)) this.#digests.form(due);
      else this.#chains.push(due);
    }
    return time;
  }

  /** Gives the delivery back, due at once. */
  makeDue(delivery: DeliveryEntry): void {
    const time = this.wake();
    this.#halt(delivery);
    for (const each of together(delivery)) {
      if (each.isFinished) this.#journal.finished(each, false);
      each.status = 'pending';
      each.at = time;
    }
    this.#chains.release(delivery);
    this.#chains.push(delivery);
  }

  /** Due at once, with a new schedule. */
  #startAnew(delivery: DeliveryEntry): void {
    for (const each of together(delivery)) each.attemptsBefore = each.attempts;
    this.#leases.countAll(delivery);
    this.#putOffs.end(delivery);
    this.#chains.enter(delivery, true);
    this.makeDue(delivery);
  }

  /** Makes of a digest two, of its halves. */
  split(delivery: DeliveryEntry): void {
    const half = delivery.isLead ? this.#digests.split(delivery.digest!) : undefined;
    this.#startAnew(delivery);
    if (half) this.#startAnew(half.lead);
  }

  /** Gives the delivery back, due later. */
  wait(delivery: DeliveryEntry, delayMs: number, yields = false): void {
    this.#halt(delivery);
    this.putOff(delivery, this.#now() + delayMs);
    for (const each of together(delivery)) {
      each.status = 'pending';
      each.at = delivery.at;
    }
    if (yields) this.#chains.enter(delivery, true);
    this.#chains.release(delivery);
  }

  #finish(delivery: DeliveryEntry, status: 'delivered' | 'dead' | 'cancelled'): void {
    this.#halt(delivery);
    this.#leases.forgetLost(delivery);
    delivery.status = status;
    delivery.at = this.#now();
    delivery.digest = undefined;
    if (status === 'delivered') delivery.memo = undefined;
    this.#journal.finished(delivery, true);
    this.#chains.leave(delivery);
  }

  /** Ends it, or all of its digest, whose memo each of them keeps. */
  end(delivery: DeliveryEntry, status: 'delivered' | 'dead' | 'cancelled'): void {
    this.#halt(delivery);
    for (const each of deliveriesOf(delivery)) {
      each.memo = delivery.memo;
      this.#finish(each, status);
    }
  }

  /** Makes a pending delivery due at once; false for one that gathers. */
  hasten(delivery: DeliveryEntry): boolean {
    if (this.#digests.gathers(delivery)) return false;
    const present = this.wake();
    const waiting = delivery.digest ? delivery.digest.lead : delivery;
    if (waiting.at <= present) return true;
    this.#alarms.remove(waiting);
    for (const each of together(waiting)) each.at = present;
    this.#chains.push(waiting);
    return true;
  }

  /** Makes a delivery that is not being sent due at once, with a new schedule. */
  restart(delivery: DeliveryEntry): void {
    if (!delivery.digest) this.#digests.remove(delivery);
    this.#startAnew(delivery.digest?.lead ?? delivery);
  }

  /** Ends a delivery that is not finished. */
  cancel(delivery: DeliveryEntry): void {
    const { digest } = delivery;
    this.#digests.remove(delivery);
    if (digest) delivery.memo = digest.lead.memo;
    if (digest?.entries.size === 0) this.#halt(digest.lead);
    this.#finish(delivery, 'cancelled');
  }

  /** The webhook was paused or made active, or has other bindings than those of `former`. */
  refresh(webhook: WebhookEntry, former: WebhookRecord): void {
    const bindings = [...former.channels, ...webhook.record.channels];
    this.#digests.refresh(new Set(bindings.map(({ id }) => id)));
    this.lanes.refresh(webhook);
  }
}
