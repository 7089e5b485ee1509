import type { DeliveryStatus } from './delivery.js';

/** Selects the deliveries that a replay restarts or creates: those that match every given field. */
export interface ReplaySelection {
  /** Any of these, when the replay reaches the delivery. Empty if `isMissed`. */
  readonly status: readonly DeliveryStatus[];
  /** Whether the replay creates missing deliveries instead of restarting existing ones. */
  readonly isMissed?: true;
  /** The exact event type; not a pattern. */
  readonly eventType?: string;
  readonly webhookId?: string;
  /** The first event id of the range, inclusive. */
  readonly fromEventId?: string;
  /** The end of the range, exclusive. Always set, so that a replay is finite while new events are published. */
  readonly beforeEventId: string;
}

/**
 * Restarts many deliveries: those that match a selection when the replay reaches them, newest first, at a limited rate.
 * Any process can continue a replay that another one began.
 */
export interface Replay {
  /** `rpl_` and 22 letters or digits. */
  readonly id: string;
  readonly tenantId: string;
  readonly selection: ReplaySelection;
  /** The maximum rate, in deliveries per second, on average. */
  readonly perSecond: number;
  readonly status: 'running' | 'done' | 'cancelled';
  /**
   * How many deliveries were restarted or created so far. May miss some that a process handled just before it crashed.
   */
  readonly replayed: number;
  /**
   * How many matched but could not be restarted: they were being sent, their webhook is deleted, or they gather for a
   * digest.
   */
  readonly skipped: number;
  readonly createdAt: Date;
  /** Null while it is running. */
  readonly finishedAt: Date | null;
}
