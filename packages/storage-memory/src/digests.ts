import { type DigestLimits, digestId, digestLimits, digestSize, isDigestFull } from '@posthorn/core/storage';
import type { Alarms } from './alarms.js';
import { DeliveryEntry, type Digest } from './entries.js';

/** Returns the digest options of its binding now; undefined where the binding has none, or was removed. */
const limitsOf = ({ webhook, bindingId }: DeliveryEntry): DigestLimits | undefined =>
  digestLimits(webhook.record.channels.find(({ id }) => id === bindingId));

/** The deliveries that gather for a binding, in the order of publication, each with the time since when. */
interface Gathering {
  readonly since: Map<DeliveryEntry, number>;
  /** The size of their payloads. */
  bytes: number;
}

const bytesOf = ({ event }: DeliveryEntry): number => Buffer.byteLength(event.payload);

function digestOf(entries: Set<DeliveryEntry>): Digest {
  const [first] = entries;
  const { event, webhook, bindingId, channel, at } = first!;
  const lead = new DeliveryEntry(event, webhook, { id: bindingId, channel }, at, true);
  lead.digest = { name: digestId(event.id, bindingId), lead, entries };
  return lead.digest;
}

/** Called as soon as deliveries can be sent. */
export interface DigestHooks {
  /** These deliveries are a digest from now on. */
  readonly formed: (digest: Digest) => void;
  /** The binding no longer has a digest: the delivery is sent alone. */
  readonly left: (entry: DeliveryEntry) => void;
}

/**
 * The gathering deliveries, by binding. Each has an alarm for the end of its own window. The alarm of the first one
 * counts, because it takes the others along.
 */
export class Digests {
  readonly #gathering = new Map<string, Gathering>();
  readonly #alarms: Alarms;
  readonly #hooks: DigestHooks;

  constructor(alarms: Alarms, hooks: DigestHooks) {
    this.#alarms = alarms;
    this.#hooks = hooks;
  }

  /** Gathers the delivery until its window ends. */
  gather(entry: DeliveryEntry, now: number): void {
    const { bindingId } = entry;
    const gathering = this.#gathering.get(bindingId) ?? { since: new Map(), bytes: 0 };
    this.#gathering.set(bindingId, gathering);
    gathering.since.set(entry, now);
    gathering.bytes += bytesOf(entry);
    this.#alarms.set(entry, now + limitsOf(entry)!.windowMs);
    this.#formFull(bindingId);
  }

  gathers(entry: DeliveryEntry): boolean {
    return this.#gathering.get(entry.bindingId)?.since.has(entry) === true;
  }

  /**
   * Forms a digest of the earliest deliveries of the binding. Called when the window of `entry` ended, or the digest is
   * full.
   */
  form(entry: DeliveryEntry): void {
    const digest = digestOf(this.#earliest(entry));
    for (const member of digest.entries) {
      this.#leave(member);
      member.digest = digest;
    }
    // Its alarm has fired, and it was not among the earliest.
    if (this.gathers(entry)) this.#alarms.set(entry, entry.at);
    this.#hooks.formed(digest);
  }

  /** Moves the latter half of the deliveries into a new digest. Returns undefined where there is only one. */
  split({ lead, entries }: Digest): Digest | undefined {
    const latter = [...entries].slice(Math.ceil(entries.size / 2));
    if (latter.length === 0) return undefined;
    const half = digestOf(new Set(latter));
    for (const member of latter) {
      entries.delete(member);
      member.digest = half;
    }
    const { attempts, attemptsBeforeRetry, checkpoint } = lead;
    Object.assign(half.lead, { attempts, attemptsBeforeRetry, checkpoint });
    return half;
  }

  /** Applies the current options of the webhook to what gathers for these bindings. */
  refresh(bindingIds: Iterable<string>): void {
    for (const bindingId of bindingIds) {
      for (const [entry, since] of this.#gathering.get(bindingId)?.since ?? []) {
        const limits = limitsOf(entry);
        if (limits) this.#alarms.set(entry, since + limits.windowMs);
        else {
          this.#leave(entry);
          this.#hooks.left(entry);
        }
      }
      this.#formFull(bindingId);
    }
  }

  /** Removes the delivery from its gathering or its digest. */
  remove(entry: DeliveryEntry): void {
    if (this.gathers(entry)) this.#leave(entry);
    entry.digest?.entries.delete(entry);
    entry.digest = undefined;
  }

  /** Returns the earliest deliveries of the binding, as many as fit in one digest. */
  #earliest(entry: DeliveryEntry): Set<DeliveryEntry> {
    const gathered = [...this.#gathering.get(entry.bindingId)!.since.keys()];
    return new Set(gathered.slice(0, digestSize(gathered.map(bytesOf), limitsOf(entry)!)));
  }

  #formFull(bindingId: string): void {
    for (
      let gathering = this.#gathering.get(bindingId);
      gathering;
      gathering = this.#gathering.get(bindingId)
    ) {
      const [first] = gathering.since.keys();
      const size = { count: gathering.since.size, bytes: gathering.bytes };
      if (!isDigestFull(size, limitsOf(first!)!)) return;
      this.form(first!);
    }
  }

  #leave(entry: DeliveryEntry): void {
    this.#alarms.remove(entry);
    const gathering = this.#gathering.get(entry.bindingId)!;
    gathering.since.delete(entry);
    gathering.bytes -= bytesOf(entry);
    if (gathering.since.size === 0) this.#gathering.delete(entry.bindingId);
  }
}
