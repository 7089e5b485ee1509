import { withTimeout } from '../delivery/with-timeout.js';
import type { PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import type { Replay } from '../models/replay.js';
import type { UsableStorage } from '../storage/storage-port.js';
import { type ReplayClaim, type ReplayStep, type ReplayStore, replayStore } from './replay-store.js';

/**
 * So often a started process asks for a replay that no process is busy with: one was created elsewhere, or left by
 * somebody who died. Who takes a step comes back for the next one unasked, so this may be seldom.
 */
const lookMs = 5_000;
/** Many times what a step takes, and for so long at most a replay stands still when its process dies. */
const leaseMs = 30_000;
/** A step does the work of a quarter of a second: even enough for a receiver, and a few statements a second. */
const stepsPerSecond = 4;
/** More in one statement would keep others waiting. */
const maxStep = 1_000;

type Done = Omit<ReplayStep, 'delayMs'>;

export interface ReplayerOptions {
  readonly storage: Pick<UsableStorage, 'deliveries' | 'log' | 'documents' | 'supports'>;
  readonly announcer: Announcer;
  /** Called when deliveries became due. */
  readonly onDue: () => void;
}

/** Carries out replays step by step, one step at a time: starts a page of deliveries again, and notes how far it is. */
export class Replayer {
  readonly #options: ReplayerOptions;
  /** Undefined where the storage keeps none: then there is nothing to do. */
  readonly #replays: ReplayStore | undefined;
  #poll: NodeJS.Timeout | undefined;
  #willLook = false;
  /** What was asked for last: one goes after the other. */
  #last: Promise<void> = Promise.resolve();
  /** How often it was stopped, and how many steps it has taken. */
  #stops = 0;
  #steps = 0;

  constructor(options: ReplayerOptions) {
    this.#options = options;
    const { documents, supports } = options.storage;
    this.#replays = supports.replays ? replayStore(documents!) : undefined;
  }

  start(): void {
    if (this.#poll || !this.#replays) return;
    this.#poll = setInterval(() => this.wake(), lookMs).unref();
    this.wake();
  }

  /** Takes no more steps, and waits `graceMs` at most for the one under way. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#poll);
    this.#poll = undefined;
    this.#stops++;
    await withTimeout(graceMs, this.#last);
  }

  /** Says that a step may be due. */
  wake(): void {
    if (!this.#poll || this.#willLook) return;
    this.#willLook = true;
    this.#takeSteps(this.#stops).catch((error: PosthornError) => {
      this.#options.announcer.announce('error', () => error);
    });
  }

  /** Takes the steps that are due and has what they start delivered, until nothing is due or it is stopped. */
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
    const { announcer, onDue } = this.#options;
    const { replay, cursor } = claim;
    const { selection, perSecond } = replay;
    const limit = Math.min(maxStep, Math.ceil(perSecond / stepsPerSecond));
    const done = selection.isMissed
      ? await this.#backfill(replay, limit, cursor)
      : await this.#restart(replay, limit, cursor);
    this.#steps++;
    if (done.replayed > 0) onDue();
    // What could not be started is passed over without a wait.
    const delayMs = Math.ceil((done.replayed * 1_000) / perSecond);
    const step = { ...done, delayMs };
    const saved = await this.#replays!.save(claim, step);
    if (saved?.status === 'done') announcer.announce('replay:finished', () => saved);
    // A timer may ring a millisecond early by the storage's clock.
    else if (saved) setTimeout(() => this.wake(), delayMs + 1).unref();
  }

  /** Makes deliveries that are missing. */
  async #backfill({ tenantId, selection }: Replay, limit: number, cursor: string | null): Promise<Done> {
    const made = await this.#options.storage.deliveries.backfill!(tenantId, selection, { limit, cursor });
    return { replayed: made.deliveries, skipped: 0, cursor: made.cursor };
  }

  /** Starts a page of deliveries again; what waits for its next attempt keeps its schedule, and its place in any order. */
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
