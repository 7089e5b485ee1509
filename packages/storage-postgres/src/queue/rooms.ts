import type { ClaimOptions } from '@posthorn/core/storage';
import { fromFirst } from '../client/given-rows.js';
import type { Target } from './known-targets.js';

/** How many more deliveries may be leased. */
interface Room {
  left: number;
}

/** A target of a batch, its number in the batch from 1, and its room. */
export interface Place {
  readonly target: Target;
  readonly number: number;
  readonly ofWebhook: Room;
  readonly ofTenant: Room;
}

/**
 * Decides which deliveries of a batch are leased, by the limits of the call, of each tenant and of each webhook, as the
 * window functions of the general statement do. `take` must be called for each delivery in order: it counts against all
 * three limits, even where it is not leased.
 */
export class Rooms {
  readonly #prefetch: ClaimOptions;
  readonly #webhooks = new Map<string, Room>();
  readonly #tenants = new Map<string, Room>();
  #left: number;
  #places = 0;

  constructor(prefetch: ClaimOptions) {
    this.#prefetch = prefetch;
    this.#left = prefetch.limit;
  }

  placeOf(target: Target): Place {
    const { limit, webhookLimit, webhookRoom, tenantLimit = limit, tenantRoom } = this.#prefetch;
    return {
      target,
      number: ++this.#places,
      ofWebhook: roomIn(this.#webhooks, target.id, webhookLimit, webhookRoom),
      ofTenant: roomIn(this.#tenants, target.tenantId, tenantLimit, tenantRoom),
    };
  }

  take({ ofWebhook, ofTenant }: Place): boolean {
    const isLeased = this.#left > 0 && ofWebhook.left > 0 && ofTenant.left > 0;
    this.#left--;
    ofWebhook.left--;
    ofTenant.left--;
    return isLeased;
  }
}

function roomIn(
  rooms: Map<string, Room>,
  id: string,
  limit: number,
  given: ReadonlyMap<string, number> | undefined,
): Room {
  let room = rooms.get(id);
  if (!room) {
    room = { left: given?.get(id) ?? limit };
    rooms.set(id, room);
  }
  return room;
}

/**
 * The SQL of whether deliveries of the webhook have waited for over a second. Then none is leased as it is stored, so
 * that nothing overtakes them.
 */
export const areWaiting = (tenant: string, webhook: string): string => `(
      select true from $.queue q ${fromFirst}
      where q.is_ready and q.tenant_id = ${tenant} and q.webhook_id = ${webhook}
        and q.due_at < $now - interval '1 second' order by q.due_at limit 1) is not null`;

/** The options of calls that lease nothing. */
export const noRoom: ClaimOptions = { limit: 0, leaseMs: 0, webhookLimit: 0, webhookRoom: new Map() };

/** Returns the room of each tenant of these events. */
export function tenantRoomsIn(
  sorts: readonly { readonly tenant: string }[],
  { limit, tenantLimit = limit, tenantRoom }: ClaimOptions,
): { tenant: string; room: number }[] {
  return [...new Set(sorts.map(({ tenant }) => tenant))].map((tenant) => ({
    tenant,
    room: Math.min(tenantRoom?.get(tenant) ?? tenantLimit, limit),
  }));
}
