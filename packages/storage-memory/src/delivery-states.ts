import type { WebhookRecord } from '@posthorn/core/storage';
import { Alarms } from './alarms.js';
import { Chains } from './chains.js';
import type { Deferrals } from './deferrals.js';
import { Digests } from './digests.js';
import type { DeliveryEntry, WebhookEntry } from './entries.js';
import type { Journal } from './journal.js';
import { Lanes } from './lanes.js';
import type { Leases } from './leases.js';

/** Returns the deliveries that an entry of the queue represents: all of its digest, or itself. */
export const deliveriesOf = (entry: DeliveryEntry): readonly DeliveryEntry[] =>
  entry.isLead ? [...entry.digest!.entries] : [entry];

/** Returns these deliveries, and the entry that leads them. */
export const together = (entry: DeliveryEntry): readonly DeliveryEntry[] =>
  entry.isLead ? [entry, ...entry.digest!.entries] : [entry];

/**
 * Moves deliveries between pending, sending and finished.
 *
 * - A pending delivery is in its webhook's lane where it is due. Otherwise it has an alarm for its due time.
 * - A delivery in flight has an alarm for the end of its lease, and is found by its token. When the lease ends, it
 *   moves to the lane; its token stays valid until it is claimed again.
 * - A gathering delivery has an alarm for the end of its window.
 * - For a digest, the entry that leads it takes these states, and its deliveries share the result.
 *
 * So each unfinished delivery is in a lane or has an alarm. A delivery that came due stays due, even where the clock is
 * set back.
 */
export class DeliveryStates {
  readonly lanes = new Lanes();
  readonly #chains = new Chains(this.lanes);
  readonly #alarms = new Alarms();
  readonly #digests: Digests;
  readonly #leases: Leases;
  readonly #deferrals: Deferrals;
  readonly #journal: Journal;
  readonly #now: () => number;

  constructor(journal: Journal, leases: Leases, deferrals: Deferrals, now: () => number) {
    this.#journal = journal;
    this.#leases = leases;
    this.#deferrals = deferrals;
    this.#now = now;
    this.#digests = new Digests(this.#alarms, {
      formed: ({ lead }) => this.#chains.push(lead),
      left: (delivery) => {
        delivery.at = now();
        this.#chains.push(delivery);
      },
    });
  }

  /** Adds a new delivery: it gathers, or is due. */
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

  /** Makes the delivery due at the time `at`. */
  reschedule(delivery: DeliveryEntry, at: number): void {
    this.#chains.remove(delivery);
    this.#alarms.set(delivery, at);
  }

  /** Moves everything that is due by now into the lanes, before anything newer, which keeps the order of due times. */
  wake(): number {
    const time = this.#now();
    for (let due = this.#alarms.takeDue(time); due; due = this.#alarms.takeDue(time)) {
      if (this.#digests.gathers(due)) this.#digests.form(due);
      else this.#chains.push(due);
    }
    return time;
  }

  /** Releases the delivery, due at once. */
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

  /** Makes the delivery due at once, with a new schedule. */
  #startAnew(delivery: DeliveryEntry): void {
    for (const each of together(delivery)) each.attemptsBeforeRetry = each.attempts;
    this.#leases.countAll(delivery);
    this.#deferrals.end(delivery);
    this.#chains.enter(delivery, true);
    this.makeDue(delivery);
  }

  /** Splits a digest into its halves. */
  split(delivery: DeliveryEntry): void {
    const half = delivery.isLead ? this.#digests.split(delivery.digest!) : undefined;
    this.#startAnew(delivery);
    if (half) this.#startAnew(half.lead);
  }

  /** Releases the delivery, due after a delay. */
  wait(delivery: DeliveryEntry, delayMs: number, yields = false): void {
    this.#halt(delivery);
    this.reschedule(delivery, this.#now() + delayMs);
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
    if (status === 'delivered') delivery.checkpoint = undefined;
    this.#journal.finished(delivery, true);
    this.#chains.leave(delivery);
  }

  /** Finishes the delivery, or all of its digest. Each delivery of a digest keeps the checkpoint. */
  end(delivery: DeliveryEntry, status: 'delivered' | 'dead' | 'cancelled'): void {
    this.#halt(delivery);
    for (const each of deliveriesOf(delivery)) {
      each.checkpoint = delivery.checkpoint;
      this.#finish(each, status);
    }
  }

  /** Makes a pending delivery due at once. Returns false for one that gathers. */
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

  /** Makes a delivery that is not in flight due at once, with a new schedule. */
  restart(delivery: DeliveryEntry): void {
    if (!delivery.digest) this.#digests.remove(delivery);
    this.#startAnew(delivery.digest?.lead ?? delivery);
  }

  /** Cancels an unfinished delivery. */
  cancel(delivery: DeliveryEntry): void {
    const { digest } = delivery;
    this.#digests.remove(delivery);
    if (digest) delivery.checkpoint = digest.lead.checkpoint;
    if (digest?.entries.size === 0) this.#halt(digest.lead);
    this.#finish(delivery, 'cancelled');
  }

  /** Follows a change of the webhook: it was paused or activated, or has other bindings than `former`. */
  refresh(webhook: WebhookEntry, former: WebhookRecord): void {
    const bindings = [...former.channels, ...webhook.record.channels];
    this.#digests.refresh(new Set(bindings.map(({ id }) => id)));
    this.lanes.refresh(webhook);
  }
}
