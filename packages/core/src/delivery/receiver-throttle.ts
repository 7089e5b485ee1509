import type { Claim } from '../storage/ports.js';
import { ThroughputMeter } from './throughput-meter.js';

/** Longer than this nobody is waited for without being asked. */
const maxWaitMs = 3_600_000;
/** A wait is made longer by up to this part of itself: not all processes are to come back at once. */
const jitter = 0.25;
/** How far apart deliveries to one that is busy are sent: at first, where it has taken none lately, and at least. */
const firstGapMs = 1_000;
const minGapMs = 20;
const maxGapMs = 60_000;
/** By what the gap grows when it was too short; and shrinks when it was not, until that is known, and from then on. */
const growth = 1.25;
const probing = 0.8;
const shrinking = 0.97;
/** One that was left alone for so long is as good as any other. */
const memoryMs = 60_000;
const maxPlaces = 10_000;

/** A channel binding whose receiver has said that it is busy. */
interface Limit {
  heldUntil: number;
  gapMs: number;
  isProbing: boolean;
  /** When the last one went, and when it said last that it is busy. */
  lastAt: number;
  saidAt: number;
  /** When each delivery that was given back has its turn, less what `shiftMs` was then. */
  readonly places: Map<string, number>;
  bookedUntil: number;
  /** By how much everybody's turn comes later since. */
  shiftMs: number;
}

type Waiting = Pick<Claim, 'deliveryId'> & { readonly binding: { readonly id: string } };

/**
 * Keeps this process from asking receivers that are busy: what goes to one of them is given back to the storage until its
 * turn comes, one delivery at a time, at the pace at which they are taken. So nothing waits here, and in nobody's way: the
 * other channels of the webhook go on.
 */
export class ReceiverThrottle {
  /** Monotonic: a wait is as long as it is, whatever becomes of the machine's clock. */
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #taken: ThroughputMeter;
  readonly #limits = new Map<string, Limit>();

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
    this.#taken = new ThroughputMeter(now);
  }

  /** How long to give the delivery back for: 0 where it may be sent now. */
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

  /** The receiver said so of what was sent at `sentAt`. Says how long to give that back for. */
  busy({ deliveryId, binding }: Waiting, retryAfterMs: number, sentAt: number): number {
    const now = this.#now();
    const askedMs = Math.min(Math.max(retryAfterMs || 0, minGapMs), maxWaitMs);
    const until = now + Math.min(askedMs * (1 + jitter * this.#random()), maxWaitMs);
    const known = this.#limitOf(binding.id, now);
    const limit = known ?? this.#begin(binding.id, now);
    // Of what was on its way together each hears it; only of what was sent since it tells that the gap is too short.
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

  /** What was sent at `sentAt` was taken. */
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

/** Gives the delivery the first turn that nobody has. */
function book(limit: Limit, deliveryId: string): number {
  const { places, shiftMs } = limit;
  const turn = Math.max(limit.heldUntil, limit.lastAt + limit.gapMs, limit.bookedUntil);
  limit.bookedUntil = turn + limit.gapMs;
  places.set(deliveryId, turn - shiftMs);
  // Some never come back: another process has sent them, or they were cancelled. They are the first that were put in.
  if (places.size > maxPlaces) places.delete(places.keys().next().value!);
  return turn;
}

/** Everybody's turn comes later. */
function shift(limit: Limit, ms: number): void {
  limit.shiftMs += ms;
  limit.bookedUntil += ms;
}
