import type { Attempt, Delivery, DeliveryStatus } from '../models/delivery.js';
import type { WebhookEvent } from '../models/event.js';
import type { Page, PageQuery } from './page.js';

/**
 * A range of events by their ids: [fromEventId, beforeEventId). An id begins with the time at which it was made;
 * `firstEventId` returns the first possible id of an instant.
 */
export interface EventRange {
  /** The first id of the range, inclusive. */
  readonly fromEventId?: string;
  /** The end of the range, exclusive. */
  readonly beforeEventId?: string;
}

/** Selects the events that match every given field. */
export interface EventFilter extends PageQuery, EventRange {
  readonly id?: string;
  /** The exact event type; not a pattern. */
  readonly type?: string;
}

/** Selects the deliveries that match every given field. */
export interface DeliverySelection extends EventRange {
  readonly eventId?: string;
  /** The exact event type; not a pattern. */
  readonly eventType?: string;
  readonly webhookId?: string;
  /** Any of these. */
  readonly status?: readonly DeliveryStatus[];
}

/** Selects the deliveries that match every given field, a page at a time. */
export interface DeliveryFilter extends PageQuery, DeliverySelection {
  readonly id?: string;
}

/** The number of deliveries in each status. */
export type DeliveryCounts = Readonly<Record<DeliveryStatus, number>>;

/** The record of events, deliveries and attempts, and the changes that a person makes to it. */
export interface DeliveryLog {
  /** Lists events, newest first. */
  events(tenantId: string, filter: EventFilter): Promise<Page<WebhookEvent>>;
  /** Lists deliveries, newest first. */
  deliveries(tenantId: string, filter: DeliveryFilter): Promise<Page<Delivery>>;
  /**
   * Counts deliveries by ranges of event ids. `bounds` are event ids in ascending order. The first count is of the
   * events before the first bound, the last is of the events from the last bound on: one count more than bounds.
   * Optional: without it the engine pages through `deliveries` and counts, which is correct but slow.
   */
  counts?(
    tenantId: string,
    selection: DeliverySelection,
    bounds: readonly string[],
  ): Promise<readonly DeliveryCounts[]>;
  /** All attempts of one delivery, first to last. Empty if there is no such delivery. */
  attempts(tenantId: string, deliveryId: string): Promise<readonly Attempt[]>;
  /**
   * Moves deliveries by hand. Resolves to the ids of those that it moved. A delivery that cannot move stays as it is.
   *
   * To `pending`: a manual retry.
   * - Moves every delivery that is not `sending` and whose webhook exists.
   * - The delivery is due at once, with a new schedule. It keeps its checkpoint, or that of its digest.
   * - It yields: later deliveries with its ordering key do not wait for it again.
   * - A digest that waits to be sent moves as a whole. A delivery that gathers, or was in a finished digest, moves
   *   alone.
   *
   * To `cancelled`:
   * - Moves every delivery that is not finished. Its token becomes invalid.
   * - A delivery in a digest leaves it. The digest's token stays valid while other deliveries are in it.
   *
   * To `due`: the next attempt, now.
   * - Moves every `pending` delivery, including one that is already due. A digest that waits to be sent moves as a
   *   whole.
   * - Nothing else changes: the schedule continues, and a delivery still waits for an earlier one with its ordering
   *   key.
   * - A delivery that gathers for a digest keeps gathering, and is not moved.
   */
  transition(
    tenantId: string,
    deliveryIds: readonly string[],
    to: 'pending' | 'cancelled' | 'due',
  ): Promise<readonly string[]>;
  /**
   * Deletes up to `limit` events of all tenants, oldest first, with their deliveries and attempts. Only those that were
   * published at least `olderThanMs` ago and have no unfinished delivery. Resolves to the number of deleted events.
   */
  prune(options: { readonly olderThanMs: number; readonly limit: number }): Promise<number>;
}
