import type { DeliveryStatus } from '../models/delivery.js';

/*
 * A replay starts many deliveries again: those that fit a selection when their turn comes, newest first, so many a
 * second. It is a row, like a delivery: any worker goes on with it where another has left off.
 */

/** Which deliveries a replay starts again: those that fit all that is given. */
export interface ReplaySelection {
  /** Those that stand so when their turn comes; none where `isMissed`. */
  readonly status: readonly DeliveryStatus[];
  /** Whether it makes those that are missing, as `backfill` does, and starts none again. */
  readonly isMissed?: true;
  readonly eventType?: string;
  readonly webhookId?: string;
  /** Of events with this id or a later one. */
  readonly fromEventId?: string;
  /** Of events with an earlier one. Always given: what a replay starts again does not come before it once more. */
  readonly beforeEventId: string;
}

export interface Replay {
  /** `rpl_` and 22 characters, as an event's. */
  readonly id: string;
  readonly tenantId: string;
  readonly selection: ReplaySelection;
  /** At most so many deliveries a second, on average. */
  readonly perSecond: number;
  readonly status: 'running' | 'done' | 'cancelled';
  /** How many deliveries were started again so far; what a process has started that died before it said so is not in it. */
  readonly replayed: number;
  /** How many fitted and could not be: they were being sent, their webhook is gone, or they gather for a digest, which goes on. */
  readonly skipped: number;
  readonly createdAt: Date;
  /** Null while it is running. */
  readonly finishedAt: Date | null;
}

/** It begins `running`, due at once, with nothing replayed; the storage sets the instants by its clock. */
export type NewReplay = Pick<Replay, 'id' | 'tenantId' | 'selection' | 'perSecond'>;

/** A replay, leased to go on with. */
export interface ReplayClaim {
  readonly replay: Replay;
  /** Good until it is claimed again, cancelled or finished. */
  readonly token: string;
  /** Where to go on in the deliveries; null at the beginning. */
  readonly cursor: string | null;
}

/** What `backfill` has made, or would make. */
export interface Backfilled {
  readonly deliveries: number;
  /** Where the next call goes on; null where nothing is left. */
  readonly cursor: string | null;
}

export interface BackfillOptions {
  /** At most so many deliveries are made, 1 or more. */
  readonly limit: number;
  /** Where an earlier call for the same selection has left off; null at the beginning. */
  readonly cursor: string | null;
  /** Counts what would be made of the events that it looks at, whatever `limit` says, and makes nothing. Default false. */
  readonly isDryRun?: boolean;
}

/** What one step has done. */
export interface ReplayStep {
  /** Added to what was counted so far. */
  readonly replayed: number;
  readonly skipped: number;
  /** Where the next step goes on; null where all is done. */
  readonly cursor: string | null;
  /** When, from now on by the storage's clock, the next step is due. */
  readonly delayMs: number;
}

/**
 * Keeps replays. For its methods holds what ports.ts says for those of a storage. The log's `prune` also forgets those
 * that ended `olderThanMs` ago or earlier, at most `limit`, and does not count them.
 */
export interface ReplayStore {
  /** Rejects with `conflict` where the id is taken, by whichever tenant. */
  create(replay: NewReplay): Promise<Replay>;
  get(tenantId: string, replayId: string): Promise<Replay | undefined>;
  /** Ends it where it is running, and its token; what was started again stays so. Undefined where there is none. */
  cancel(tenantId: string, replayId: string): Promise<Replay | undefined>;
  /** Leases one that is due, or whose lease is over, of any tenant: the one that has been so for longest. */
  claim(leaseMs: number): Promise<ReplayClaim | undefined>;
  /**
   * Writes a step where the token still holds, which ends it: the replay is `done`, or due again. Resolves to what it is
   * now; undefined, and nothing written, where the token does not hold.
   */
  save(
    claim: Pick<ReplayClaim, 'token'> & { readonly replay: Pick<Replay, 'id'> },
    step: ReplayStep,
  ): Promise<Replay | undefined>;
  /**
   * Makes the deliveries that the events in `selection` would have by the tenant's webhooks as they are now, and do not
   * have: one for each channel binding without `onlyAfter` of each active webhook that holds a pattern which covers the
   * event's type (`matchKeys`). They begin as publishing begins them: due at once, or gathering; with an ordering key behind
   * what is there with that. The oldest events come first. A call looks at a bounded number of events and says where to go on;
   * it makes all of its deliveries or, where it rejects, none. Of an event to a binding there is one delivery, however often
   * it is called, and also where another call makes it meanwhile and it is delivered before this one comes to it.
   */
  backfill(tenantId: string, selection: ReplaySelection, options: BackfillOptions): Promise<Backfilled>;
  /**
   * Makes pending deliveries due at once; of a digest that waits, all of it. Nothing else of them changes: what has to wait
   * for another with its ordering key still does, what gathers goes on gathering, and the retry schedule goes on where it is.
   * Resolves to the ids of those that are due now, or were.
   */
  hasten(tenantId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
}
