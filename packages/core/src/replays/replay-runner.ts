import { withDeadline } from '../deadline.js';
import type { PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { Replay } from '../models/replay.js';
import type { CheckedStorage } from '../storage/checked-storage.js';
import { type ReplayClaim, type ReplayStep, type ReplayStore, replayStore } from './replay-store.js';

/**
 * How often a started process looks for a replay that no process works on: one that was created elsewhere, or left by a
 * process that crashed. This may be seldom, because the process that takes a step sets a timer for the next one.
 */
const lookMs = 5_000;
/** Many times the duration of a step. When its process crashes, a replay stands still for at most this time. */
const leaseMs = 30_000;
/** A step does the work of a quarter of a second: a steady rate for receivers, with few statements per second. */
const stepsPerSecond = 4;
/** The most deliveries in one statement: more would delay other statements. */
const maxStep = 1_000;

type Done = Omit<ReplayStep, 'delayMs'>;

/** What {@link ReplayRunner} needs of the engine. */
export interface ReplayRunnerOptions {
  readonly storage: Pick<CheckedStorage, 'deliveries' | 'log' | 'documents' | 'supports'>;
  readonly lifecycle: LifecycleEmitter;
  /** Called when deliveries became due. */
  readonly onDue: () => void;
}

/** Runs replays, one step at a time. A step restarts one page of deliveries, and saves the progress. */
export class ReplayRunner {
  readonly #options: ReplayRunnerOptions;
  /** Undefined if the storage does not support replays. */
  readonly #replays: ReplayStore | undefined;
  #poll: NodeJS.Timeout | undefined;
  #willLook = false;
  /** The last requested run of steps. Each run waits for the one before. */
  #last: Promise<void> = Promise.resolve();
  /** How many times it was stopped, and how many steps it has taken. */
  #stops = 0;
  #steps = 0;

  constructor(options: ReplayRunnerOptions) {
    this.#options = options;
    const { documents, supports } = options.storage;
    this.#replays = supports.replays ? replayStore(documents!) : undefined;
  }

  start(): void {
    if (this.#poll || !this.#replays) return;
    this.#poll = setInterval(() => this.wake(), lookMs).unref();
    this.wake();
  }

  /** Takes no more steps, and waits up to `graceMs` for the step in flight. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#poll);
    this.#poll = undefined;
    this.#stops++;
    await withDeadline(this.#last, graceMs, () => {});
  }

  /** Takes the steps that are due. Call it when a step may be due. */
  wake(): void {
    if (!this.#poll || this.#willLook) return;
    this.#willLook = true;
    this.#takeSteps(this.#stops).catch((error: PosthornError) => {
      this.#options.lifecycle.emit('error', () => error);
    });
  }

  /** Takes the steps that are due and calls `deliver` for their deliveries, until nothing is due or it is stopped. */
  async drain(deliver: () => Promise<void>): Promise<void> {
    const stops = this.#stops;
    let before: number;
    do {
      before = this.#steps;
      await deliver();
      await this.#takeSteps(stops);
    } while (this.#steps > before && this.#stops === stops);
  }

  #takeSteps(stops: number): Promise<void> {
    const taken = this.#last.then(async () => {
      this.#willLook = false;
      while (this.#stops === stops) {
        const claim = await this.#replays?.claim(leaseMs);
        if (!claim) return;
        await this.#step(claim);
      }
    });
    this.#last = taken.catch(() => {});
    return taken;
  }

  async #step(claim: ReplayClaim): Promise<void> {
    const { lifecycle, onDue } = this.#options;
    const { replay, cursor } = claim;
    const { selection, perSecond } = replay;
    const limit = Math.min(maxStep, Math.ceil(perSecond / stepsPerSecond));
    const done = selection.isMissed
      ? await this.#backfill(replay, limit, cursor)
      : await this.#restart(replay, limit, cursor);
    this.#steps++;
    if (done.replayed > 0) onDue();
    // Skipped deliveries do not count for the rate.
    const delayMs = Math.ceil((done.replayed * 1_000) / perSecond);
    const step = { ...done, delayMs };
    const saved = await this.#replays!.save(claim, step);
    if (saved?.status === 'done') lifecycle.emit('replay:finished', () => saved);
    // A timer may fire a millisecond early by the storage's clock.
    else if (saved) setTimeout(() => this.wake(), delayMs + 1).unref();
  }

  /** Creates missing deliveries. */
  async #backfill({ tenantId, selection }: Replay, limit: number, cursor: string | null): Promise<Done> {
    const made = await this.#options.storage.deliveries.backfill!(tenantId, selection, { limit, cursor });
    return { replayed: made.deliveries, skipped: 0, cursor: made.cursor };
  }

  /**
   * Restarts a page of deliveries. A pending one keeps its retry schedule and its place in the order of its ordering
   * key.
   */
  async #restart({ tenantId, selection }: Replay, limit: number, cursor: string | null): Promise<Done> {
    const { log } = this.#options.storage;
    const query = { ...selection, limit, ...(cursor !== null && { cursor }) };
    const { items, nextCursor } = await log.deliveries(tenantId, query);
    const idsOf = (isPending: boolean): string[] =>
      items.flatMap(({ id, status }) => ((status === 'pending') === isPending ? [id] : []));
    const [waiting, finished] = [idsOf(true), idsOf(false)];
    const hastened = waiting.length > 0 ? await log.transition(tenantId, waiting, 'due') : [];
    const started = finished.length > 0 ? await log.transition(tenantId, finished, 'pending') : [];
    const replayed = hastened.length + started.length;
    return { replayed, skipped: items.length - replayed, cursor: nextCursor };
  }
}
