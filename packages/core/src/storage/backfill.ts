import type { ReplaySelection } from '../models/replay.js';

/** The events whose missing deliveries are made: those that fit all that is given. */
export type BackfillSelection = Pick<
  ReplaySelection,
  'eventType' | 'webhookId' | 'fromEventId' | 'beforeEventId'
>;

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
