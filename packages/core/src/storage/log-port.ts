import type { Attempt, Delivery, DeliveryStatus } from '../models/delivery.js';
import type { Event } from '../models/event.js';
import type { Page, PageQuery } from './page.js';

/** Events by their ids, which begin with the time they were made: `firstEventId` makes a bound of an instant. */
export interface EventRange {
  /** Those with this id or a later one. */
  readonly fromEventId?: string;
  /** Those with an earlier one. */
  readonly beforeEventId?: string;
}

export interface EventFilter extends PageQuery, EventRange {
  readonly id?: string;
  readonly type?: string;
}

/** Which deliveries: those that fit all that is given. */
export interface DeliverySelection extends EventRange {
  readonly eventId?: string;
  readonly eventType?: string;
  readonly webhookId?: string;
  readonly status?: readonly DeliveryStatus[];
}

export interface DeliveryFilter extends PageQuery, DeliverySelection {
  readonly id?: string;
}

/** How many deliveries stand where. */
export type DeliveryCounts = Readonly<Record<DeliveryStatus, number>>;

/** What happened, and the few things that may be done about it. */
export interface DeliveryLog {
  events(tenantId: string, filter: EventFilter): Promise<Page<Event>>;
  deliveries(tenantId: string, filter: DeliveryFilter): Promise<Page<Delivery>>;
  /**
   * Counts deliveries, apart for each stretch of time: those of events before the first of `bounds`, which are event
   * ids in their order, of those between each two of them, and of those from the last on. One count more than bounds.
   * Left out: the engine counts page by page of `deliveries`, which is right and slow.
   */
  counts?(
    tenantId: string,
    selection: DeliverySelection,
    bounds: readonly string[],
  ): Promise<readonly DeliveryCounts[]>;
  /** All of one delivery, first to last; empty where there is no such delivery. */
  attempts(tenantId: string, deliveryId: string): Promise<readonly Attempt[]>;
  /**
   * Moves deliveries by hand, and resolves to the ids of those that it moved. What cannot move stays as it is:
   * - `pending`: due at once, with a new schedule; any delivery that is not `sending` and whose webhook exists. It keeps its
   *   memo, or its digest's, and it yields: what is behind it with its ordering key does not wait for it again. Of a digest
   *   that waits, all of it; one that gathers, or was in one that is finished, goes alone.
   * - `cancelled`: one that is not finished. Its token ends, or it leaves its digest, whose token stays good while others
   *   are in it.
   * - `due`: one that is `pending`, due at once; of a digest that waits, all of it. Nothing else changes: the schedule goes
   *   on where it is, what has to wait for another with its ordering key still does, and what gathers goes on gathering and
   *   is not moved. One that is due already counts as moved.
   */
  transition(
    tenantId: string,
    deliveryIds: readonly string[],
    to: 'pending' | 'cancelled' | 'due',
  ): Promise<readonly string[]>;
  /**
   * Forgets at most `limit` events of all tenants, the oldest first, that were published `olderThanMs` ago
   * or earlier and have nothing unfinished, with their deliveries and attempts. Resolves to how many.
   */
  prune(options: { readonly olderThanMs: number; readonly limit: number }): Promise<number>;
}
