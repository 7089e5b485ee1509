import type { ReplaySelection } from '../models/replay.js';

/** The events whose missing deliveries are created: those that match every given field. */
export type BackfillSelection = Pick<
  ReplaySelection,
  'eventType' | 'webhookId' | 'fromEventId' | 'beforeEventId'
>;

/** The result of one call of `backfill`. */
export interface Backfilled {
  /** How many deliveries were created. In a dry run: how many would be. */
  readonly deliveries: number;
  /** Where the next call continues. Null when nothing is left. */
  readonly cursor: string | null;
}

/** The options of one call of `backfill`. */
export interface BackfillOptions {
  /** The most deliveries to create, 1 or more. */
  readonly limit: number;
  /** The `cursor` of the previous call for the same selection. Null for the first call. */
  readonly cursor: string | null;
  /** Whether to create nothing and to count what would be created, regardless of `limit`. Default false. */
  readonly isDryRun?: boolean;
}
