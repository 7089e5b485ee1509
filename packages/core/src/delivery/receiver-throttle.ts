import type { Claim } from '../storage/ports.js';
import { ThroughputMeter } from './throughput-meter.js';

/** The longest wait, whatever a receiver asks for. */
const maxWaitMs = 3_600_000;
/** Each wait is lengthened by up to this fraction, so that processes do not come back all at once. */
const jitter = 0.25;
/** The gap between deliveries to a rate-limited receiver: the first one where no throughput is known, and its bounds. */
const firstGapMs = 1_000;
const minGapMs = 20;
const maxGapMs = 60_000;
/** Factors of the gap: after it was too short, while probing for the limit, and once the limit is known. */
const growth = 1.25;
const probing = 0.8;
const shrinking = 0.97;
/** A receiver without deliveries for this long is no longer throttled. */
const memoryMs = 60_000;
const maxPlaces = 10_000;

/** A channel binding whose receiver has reported a rate limit. */
interface Limit {
  heldUntil: number;
  gapMs: number;
  isProbing: boolean;
  /** When the last delivery was sent, and when the receiver last reported its limit. */
  lastAt: number;
  saidAt: number;
  /** The turn of each released delivery is its value here plus `shiftMs`: one addition moves all turns. */
  readonly places: Map<string, number>;
  bookedUntil: number;
  /** By how much all turns have moved since. */
  shiftMs: number;
}

type Waiting = Pick<Claim, 'deliveryId'> & { readonly binding: { readonly id: string } };

/**
 * Throttles deliveries to receivers that report a rate limit. A delivery to such a receiver is released to the storage
 * until its turn, one at a time, at the pace that the receiver accepts. Nothing waits in this process, so the other channels
 * of the webhook are not held up.
 */
export class ReceiverThrottle {
  /** Monotonic, so that setting the machine's clock changes no wait. */
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #taken: ThroughputMeter;
  readonly #limits = new Map<string, Limit>();

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
    this.#taken = new ThroughputMeter(now);
  }

  /** For how many milliseconds to release the delivery. 0: it may be sent now. */
  delayFor({ deliveryId, binding }: Waiting): number {
    const now = this.#now();
    const limit = this.#limitOf(binding.id, now);
    if (!limit) return 0;
    const earliest = Math.max(limit.heldUntil, limit.lastAt + limit.gapMs);
    const place = limit.places.get(deliveryId);
    if (place === undefined && Math.max(earliest, limit.bookedUntil) > now) {
      return waitUntil(book(limit, deliveryId), now);
    }
    const turn = (place ?? now) + (place === undefined ? 0 : limit.shiftMs);
    if (turn > now) return waitUntil(turn, now);
    if (earliest > now) {
      shift(limit, earliest - now);
      return waitUntil(earliest, now);
    }
    limit.places.delete(deliveryId);
    limit.lastAt = now;
    return 0;
  }

  /** Records a rate limit in the answer to a delivery sent at `sentAt`. Returns for how long to release that delivery. */
  rateLimited({ deliveryId, binding }: Waiting, retryAfterMs: number, sentAt: number): number {
    const now = this.#now();
    const askedMs = Math.min(Math.max(retryAfterMs || 0, minGapMs), maxWaitMs);
    const until = now + Math.min(askedMs * (1 + jitter * this.#random()), maxWaitMs);
    const known = this.#limitOf(binding.id, now);
    const limit = known ?? this.#begin(binding.id, now);
    // All deliveries in flight get this answer. Only one that was sent after the last report shows that the gap is too short.
    const isNew = known !== undefined && sentAt > limit.saidAt;
    if (isNew) {
      limit.gapMs = Math.min(limit.gapMs * growth, maxGapMs);
      limit.isProbing = false;
    }
    const longerMs = until - Math.max(limit.heldUntil, now);
    if (longerMs > 0) shift(limit, longerMs);
    limit.heldUntil = Math.max(limit.heldUntil, until);
    limit.saidAt = now;
    if (!isNew) return waitUntil(book(limit, deliveryId), now);
    limit.places.set(deliveryId, limit.heldUntil - limit.shiftMs);
    return waitUntil(limit.heldUntil, now);
  }

  /** Records that the receiver accepted a delivery sent at `sentAt`. */
  delivered({ binding }: Waiting, sentAt: number): void {
    this.#taken.count(binding.id);
    const limit = this.#limits.get(binding.id);
    if (!limit || sentAt <= limit.saidAt) return;
    limit.gapMs *= limit.isProbing ? probing : shrinking;
    if (limit.gapMs < minGapMs) this.#limits.delete(binding.id);
  }

  #limitOf(bindingId: string, now: number): Limit | undefined {
    const limit = this.#limits.get(bindingId);
    if (!limit || !isOver(limit, now)) return limit;
    this.#limits.delete(bindingId);
    return undefined;
  }

  #begin(bindingId: string, now: number): Limit {
    for (const [id, limit] of this.#limits) if (isOver(limit, now)) this.#limits.delete(id);
    const gapMs = Math.max(minGapMs, firstGapMs / Math.max(1, this.#taken.perSecond(bindingId)));
    const past = Number.NEGATIVE_INFINITY;
    const limit: Limit = {
      ...{ heldUntil: now, gapMs, isProbing: true, lastAt: past, saidAt: now },
      ...{ places: new Map(), bookedUntil: now, shiftMs: 0 },
    };
    this.#limits.set(bindingId, limit);
    return limit;
  }
}

const waitUntil = (turn: number, now: number): number => Math.ceil(Math.min(turn - now, maxWaitMs));

const isOver = ({ heldUntil, lastAt, bookedUntil }: Limit, now: number): boolean =>
  Math.max(heldUntil, lastAt, bookedUntil) + memoryMs < now;

/** Gives the delivery the first free turn. */
function book(limit: Limit, deliveryId: string): number {
  const { places, shiftMs } = limit;
  const turn = Math.max(limit.heldUntil, limit.lastAt + limit.gapMs, limit.bookedUntil);
  limit.bookedUntil = turn + limit.gapMs;
  places.set(deliveryId, turn - shiftMs);
  // Some never come back: another process sent them, or they were cancelled. The oldest are the likeliest.
  if (places.size > maxPlaces) places.delete(places.keys().next().value!);
  return turn;
}

/** Moves all turns later. */
function shift(limit: Limit, ms: number): void {
  limit.shiftMs += ms;
  limit.bookedUntil += ms;
}
