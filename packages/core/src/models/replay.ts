import type { DeliveryStatus } from './delivery.js';

/** Which deliveries a replay starts again: those that fit all that is given. */
export interface ReplaySelection {
  /** Those that stand so when their turn comes; none where `isMissed`. */
  readonly status: readonly DeliveryStatus[];
  /** Whether it makes those that are missing, and starts none again. */
  readonly isMissed?: true;
  readonly eventType?: string;
  readonly webhookId?: string;
  /** Of events with this id or a later one. */
  readonly fromEventId?: string;
  /** Of events with an earlier one. Always given: what a replay starts again does not come before it once more. */
  readonly beforeEventId: string;
}

/**
 * Starts many deliveries again: those that fit a selection when their turn comes, newest first, at a rate. Any process goes
 * on with it where another has left off.
 */
export interface Replay {
  /** `rpl_` and 22 characters, as an event's. */
  readonly id: string;
  readonly tenantId: string;
  readonly selection: ReplaySelection;
  /** At most this many deliveries a second, on average. */
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
