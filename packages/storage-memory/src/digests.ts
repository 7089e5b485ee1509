import { type ChannelBinding, digestId } from '@posthorn/core';
import type { Alarms } from './alarms.js';
import { DeliveryEntry } from './entries.js';

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

/** What its binding says of digests now; undefined where it wants none, or is gone. */
const limitsOf = ({ webhook, bindingId }: DeliveryEntry): ChannelBinding['digest'] =>
  webhook.record.channels.find(({ id }) => id === bindingId)?.digest;

function digestOf(entries: Set<DeliveryEntry>): Digest {
  const [first] = entries;
  const { event, webhook, bindingId, channel, at } = first!;
  const lead = new DeliveryEntry(event, webhook, { id: bindingId, channel }, at, true);
  lead.digest = { name: digestId(event.id, bindingId), lead, entries };
  return lead.digest;
}

/** Called as soon as something is to go. */
export interface DigestHooks {
  /** These deliveries are a digest from now on. */
  readonly formed: (digest: Digest) => void;
  /** Its binding wants no digests any more: it goes by itself. */
  readonly left: (entry: DeliveryEntry) => void;
}

/**
 * The deliveries that gather, by binding, each with the instant since when, in the order of publication. Each has an alarm
 * for the end of its own window; that of the first is the one that counts, as it takes the others along.
 */
export class Digests {
  readonly #gathering = new Map<string, Map<DeliveryEntry, number>>();
  readonly #alarms: Alarms;
  readonly #hooks: DigestHooks;

  constructor(alarms: Alarms, hooks: DigestHooks) {
    this.#alarms = alarms;
    this.#hooks = hooks;
  }

  /** Gathers the delivery, until its window is over. */
  gather(entry: DeliveryEntry, now: number): void {
    const { bindingId } = entry;
    const gathering = this.#gathering.get(bindingId) ?? new Map();
    this.#gathering.set(bindingId, gathering.set(entry, now));
    this.#alarms.set(entry, now + Number(limitsOf(entry)!.window));
    this.#formFull(bindingId);
  }

  gathers(entry: DeliveryEntry): boolean {
    return this.#gathering.get(entry.bindingId)?.has(entry) === true;
  }

  /** The window of this one is over, or there are enough: the earliest of its binding are a digest from now on. */
  form(entry: DeliveryEntry): void {
    const gathering = this.#gathering.get(entry.bindingId)!;
    const digest = digestOf(new Set([...gathering.keys()].slice(0, limitsOf(entry)!.maxEvents)));
    for (const member of digest.entries) {
      this.#leave(member);
      member.digest = digest;
    }
    // Its alarm has rung, and it was not among the earliest.
    if (this.gathers(entry)) this.#alarms.set(entry, entry.at);
    this.#hooks.formed(digest);
  }

  /** What gathers for these bindings goes by what its webhook says of them now. */
  refresh(bindingIds: Iterable<string>): void {
    for (const bindingId of bindingIds) {
      for (const [entry, since] of this.#gathering.get(bindingId) ?? []) {
        const limits = limitsOf(entry);
        if (limits) this.#alarms.set(entry, since + Number(limits.window));
        else {
          this.#leave(entry);
          this.#hooks.left(entry);
        }
      }
      this.#formFull(bindingId);
    }
  }

  /** Takes the delivery out of what it gathers in or belongs to. */
  remove(entry: DeliveryEntry): void {
    if (this.gathers(entry)) this.#leave(entry);
    entry.digest?.entries.delete(entry);
    entry.digest = undefined;
  }

  #formFull(bindingId: string): void {
    for (
      let gathering = this.#gathering.get(bindingId);
      gathering;
      gathering = this.#gathering.get(bindingId)
    ) {
      const [first] = gathering.keys();
      if (gathering.size < limitsOf(first!)!.maxEvents) return;
      this.form(first!);
    }
  }

  #leave(entry: DeliveryEntry): void {
    this.#alarms.remove(entry);
    const gathering = this.#gathering.get(entry.bindingId)!;
    gathering.delete(entry);
    if (gathering.size === 0) this.#gathering.delete(entry.bindingId);
  }
}
