import { kindOf, PosthornError } from './errors.js';
import { type Attempt, type Delivery, defaultTenant, type Event, type TenantOption } from './models.js';
import { pageQuery } from './page.js';
import type { DeliveryFilter, DeliveryLog, EventFilter, Page } from './ports.js';

type ListOptions<Filter> = TenantOption & Partial<Omit<Filter, 'id'>>;

/** What happened, for one tenant at a time; another tenant's is `not_found`. */
export interface Events {
  get(eventId: string, options?: TenantOption): Promise<Event>;
  /** Newest first, 50 a page unless `limit` says otherwise (1 to 1,000). */
  list(options?: ListOptions<EventFilter>): Promise<Page<Event>>;
}

/** The deliveries of one tenant at a time; another tenant's is `not_found`. */
export interface Deliveries {
  get(deliveryId: string, options?: TenantOption): Promise<Delivery>;
  /** Newest first, 50 a page unless `limit` says otherwise (1 to 1,000). */
  list(options?: ListOptions<DeliveryFilter>): Promise<Page<Delivery>>;
  /** Every attempt, first to last. */
  attempts(deliveryId: string, options?: TenantOption): Promise<readonly Attempt[]>;
  /** Starts again: due at once, with a whole retry schedule. `conflict` while it is being sent, or its webhook is gone. */
  retry(deliveryId: string, options?: TenantOption): Promise<Delivery>;
  /** Ends it. `conflict` where it is final already. A request that is under way may still arrive. */
  cancel(deliveryId: string, options?: TenantOption): Promise<Delivery>;
}

/** The application's side of the log. `wake` is called when something became due. */
export function logOf(log: DeliveryLog, wake: () => void): { events: Events; deliveries: Deliveries } {
  async function one<Item>(what: string, id: unknown, page: Promise<Page<Item>>): Promise<Item> {
    const [item] = typeof id === 'string' ? (await page).items : [];
    if (!item)
      throw new PosthornError(
        'not_found',
        `no ${what} has this id${typeof id === 'string' ? '' : `: it is ${kindOf(id)}`}`,
      );
    return item;
  }

  const find = (id: string, tenantId: string): Promise<Delivery> =>
    one('delivery', id, log.deliveries(tenantId, { id, limit: 1 }));

  async function move(
    id: string,
    status: 'pending' | 'cancelled',
    why: string,
    tenantId = defaultTenant,
  ): Promise<Delivery> {
    const delivery = await find(id, tenantId);
    const [moved] = await log.setStatus(tenantId, [id], status);
    if (!moved) throw new PosthornError('conflict', `delivery is ${delivery.status}: ${why}`);
    return find(id, tenantId);
  }

  return {
    events: {
      get: (id, { tenantId = defaultTenant } = {}) =>
        one('event', id, log.events(tenantId, { id, limit: 1 })),
      list: async ({ tenantId = defaultTenant, ...filter } = {}) =>
        log.events(tenantId, { ...filter, ...pageQuery(filter) }),
    },
    deliveries: {
      get: (id, { tenantId = defaultTenant } = {}) => find(id, tenantId),
      list: async ({ tenantId = defaultTenant, ...filter } = {}) =>
        log.deliveries(tenantId, { ...filter, ...pageQuery(filter) }),
      async attempts(id, { tenantId = defaultTenant } = {}) {
        await find(id, tenantId);
        return log.attempts(tenantId, id);
      },
      async retry(id, { tenantId } = {}) {
        const delivery = await move(id, 'pending', 'it cannot be sent again now', tenantId);
        wake();
        return delivery;
      },
      cancel: (id, { tenantId } = {}) => move(id, 'cancelled', 'it cannot be cancelled any more', tenantId),
    },
  };
}
