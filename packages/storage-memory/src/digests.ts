import type { ChannelBinding } from '@posthorn/core';
import type { Alarms } from './alarms.js';
import type { DeliveryEntry } from './entries.js';

/** Deliveries that are sent as one message, the earliest first: it leads, and stands for all of them in the queue. */
export interface Digest {
  readonly entries: Set<DeliveryEntry>;
}

/** What a binding says of its digests. */
type Limits = NonNullable<ChannelBinding['digest']>;

/** The binding as it is now, or as good as if nothing had ever been said. */
function limitsOf({ webhook, bindingId }: DeliveryEntry): { windowMs: number; maxEvents: number } {
  const { window = 0, maxEvents = 1_000 }: Partial<Limits> =
    webhook.record.channels.find(({ id }) => id === bindingId)?.digest ?? {};
  return { windowMs: Number(window), maxEvents };
}

export const leaderOf = ({ entries }: Digest): DeliveryEntry => {
  const [first] = entries;
  return first!;
};

/**
 * The deliveries that gather, by binding, in the order of publication. Each has an alarm for the end of its own window;
 * that of the first is the one that counts, as it takes the others along.
 */
export class Digests {
  readonly #gathering = new Map<string, Set<DeliveryEntry>>();
  readonly #alarms: Alarms;
  /** Called with each digest as soon as it is one. */
  readonly #onFormed: (digest: Digest) => void;

  constructor(alarms: Alarms, onFormed: (digest: Digest) => void) {
    this.#alarms = alarms;
    this.#onFormed = onFormed;
  }

  /** Gathers the delivery, until its window is over; again for one that has lost its digest, which has waited enough. */
  gather(entry: DeliveryEntry, now: number, isAgain = false): void {
    const { windowMs, maxEvents } = limitsOf(entry);
    const others = this.#gathering.get(entry.bindingId) ?? new Set();
    this.#gathering.set(entry.bindingId, others.add(entry));
    this.#alarms.set(entry, isAgain ? now : now + windowMs);
    if (others.size >= maxEvents) this.form(entry);
  }

  gathers(entry: DeliveryEntry): boolean {
    return this.#gathering.get(entry.bindingId)?.has(entry) === true;
  }

  /** The window of this one is over, or there are enough: the earliest of its binding are a digest from now on. */
  form(entry: DeliveryEntry): void {
    const gathering = this.#gathering.get(entry.bindingId)!;
    const entries = new Set([...gathering].slice(0, limitsOf(entry).maxEvents));
    const digest: Digest = { entries };
    for (const member of entries) {
      this.#leave(member);
      member.digest = digest;
    }
    // Its alarm has rung, and it was not among the earliest.
    if (this.gathers(entry)) this.#alarms.set(entry, entry.at);
    this.#onFormed(digest);
  }

  /** Takes the delivery out of what it gathers in or belongs to. Those that it led gather anew. */
  remove(entry: DeliveryEntry, now: number): void {
    if (this.gathers(entry)) this.#leave(entry);
    const { digest } = entry;
    if (!digest) return;
    const isLeader = leaderOf(digest) === entry;
    digest.entries.delete(entry);
    entry.digest = undefined;
    if (!isLeader) return;
    for (const member of digest.entries) {
      member.digest = undefined;
      member.status = 'pending';
    }
    for (const member of digest.entries) this.gather(member, now, true);
  }

  #leave(entry: DeliveryEntry): void {
    this.#alarms.remove(entry);
    const gathering = this.#gathering.get(entry.bindingId)!;
    gathering.delete(entry);
    if (gathering.size === 0) this.#gathering.delete(entry.bindingId);
  }
}
