import { type ChannelBinding, digestId } from '@posthorn/core';
import type { Alarms } from './alarms.js';
import { DeliveryEntry, type WebhookEntry } from './entries.js';

/**
 * Deliveries that are sent as one message. In the queue `lead` stands for them: it is in no journal, waits, is leased and
 * has the memo, whichever of them leave.
 */
export interface Digest {
  readonly name: string;
  readonly lead: DeliveryEntry;
  /** In the order of publication. */
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

function digestOf(entries: Set<DeliveryEntry>): Digest {
  const [first] = entries;
  const { event, webhook, bindingId, channel, at } = first!;
  const lead = new DeliveryEntry(event, webhook, { id: bindingId, channel }, at, true);
  lead.digest = { name: digestId(event.id, bindingId), lead, entries };
  return lead.digest;
}

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

  /** Gathers the delivery, until its window is over. */
  gather(entry: DeliveryEntry, now: number): void {
    const { windowMs, maxEvents } = limitsOf(entry);
    const others = this.#gathering.get(entry.bindingId) ?? new Set();
    this.#gathering.set(entry.bindingId, others.add(entry));
    this.#alarms.set(entry, now + windowMs);
    if (others.size >= maxEvents) this.form(entry);
  }

  gathers(entry: DeliveryEntry): boolean {
    return this.#gathering.get(entry.bindingId)?.has(entry) === true;
  }

  /** The window of this one is over, or there are enough: the earliest of its binding are a digest from now on. */
  form(entry: DeliveryEntry): void {
    const gathering = this.#gathering.get(entry.bindingId)!;
    const digest = digestOf(new Set([...gathering].slice(0, limitsOf(entry).maxEvents)));
    for (const member of digest.entries) {
      this.#leave(member);
      member.digest = digest;
    }
    // Its alarm has rung, and it was not among the earliest.
    if (this.gathers(entry)) this.#alarms.set(entry, entry.at);
    this.#onFormed(digest);
  }

  /** Looks once more whether there are enough: the limits of the webhook's bindings may have changed. */
  refresh({ record }: WebhookEntry): void {
    for (const { id } of record.channels) {
      for (let gathering = this.#gathering.get(id); gathering; gathering = this.#gathering.get(id)) {
        const [first] = gathering;
        if (gathering.size < limitsOf(first!).maxEvents) break;
        this.form(first!);
      }
    }
  }

  /** Takes the delivery out of what it gathers in or belongs to. */
  remove(entry: DeliveryEntry): void {
    if (this.gathers(entry)) this.#leave(entry);
    entry.digest?.entries.delete(entry);
    entry.digest = undefined;
  }

  #leave(entry: DeliveryEntry): void {
    this.#alarms.remove(entry);
    const gathering = this.#gathering.get(entry.bindingId)!;
    gathering.delete(entry);
    if (gathering.size === 0) this.#gathering.delete(entry.bindingId);
  }
}
