import { optionsOf } from './door.js';
import { PosthornError } from './errors.js';
import { type Explanation, explainer } from './explain.js';
import type { Announcer } from './lifecycle.js';
import { type Attempt, type Delivery, defaultTenant, type Event, type TenantOption } from './models.js';
import { type Page, pageQuery } from './page.js';
import type { DeliveryFilter, EventFilter, Storage } from './ports.js';

type ListOptions<Filter> = TenantOption & Partial<Omit<Filter, 'id'>>;

/** What happened, for one tenant at a time; another tenant's is `not_found`. */
export interface Events {
  get(eventId: string, options?: TenantOption): Promise<Event>;
  /** Newest first, 50 a page unless `limit` says otherwise (1 to 1,000). */
  list(options?: ListOptions<EventFilter>): Promise<Page<Event>>;
  /**
   * What became of it and what happens next, webhook by webhook, and which webhooks nearly got it and why they did not.
   * For a person who asks: it looks through the tenant's webhooks, and takes as long.
   */
  explain(eventId: string, options?: TenantOption): Promise<Explanation>;
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
export function logOf(
  storage: Pick<Storage, 'log' | 'webhooks'>,
  announcer: Announcer,
  wake: () => void,
): { events: Events; deliveries: Deliveries } {
  const { log } = storage;
  const explain = explainer(storage);

  async function one<Item>(
    what: string,
    id: unknown,
    read: (id: string) => Promise<Page<Item>>,
  ): Promise<Item> {
    const [item] = typeof id === 'string' ? (await read(id)).items : [];
    if (!item) throw new PosthornError('not_found', `no ${what} has this id`);
    return item;
  }

  const findEvent = (eventId: string, tenantId: string): Promise<Event> =>
    one('event', eventId, (id) => log.events(tenantId, { id, limit: 1 }));

  const find = (deliveryId: string, tenantId: string): Promise<Delivery> =>
    one('delivery', deliveryId, (id) => log.deliveries(tenantId, { id, limit: 1 }));

  async function move(
    deliveryId: string,
    status: 'pending' | 'cancelled',
    tenantId: string,
  ): Promise<Delivery> {
    const delivery = await find(deliveryId, tenantId);
    const [moved] = await log.setStatus(tenantId, [deliveryId], status);
    if (moved) return find(deliveryId, tenantId);
    const why = status === 'pending' ? 'being sent, or without its webhook' : 'final already';
    throw new PosthornError('conflict', `delivery is ${why}; its status is ${delivery.status}`);
  }

  const tenantOf = (options: TenantOption | undefined, what: string): string =>
    optionsOf(options, ['tenantId'], what).tenantId ?? defaultTenant;

  return {
    events: {
      async get(eventId, options) {
        const tenantId = tenantOf(options, 'events.get');
        return findEvent(eventId, tenantId);
      },
      async explain(eventId, options) {
        return explain(await findEvent(eventId, tenantOf(options, 'events.explain')));
      },
      async list(options) {
        const filter = optionsOf(options, ['tenantId', 'type', 'limit', 'cursor'], 'events.list');
        const { tenantId = defaultTenant, ...rest } = filter;
        return log.events(tenantId, { ...rest, ...pageQuery(rest) });
      },
    },
    deliveries: {
      get: async (id, options) => find(id, tenantOf(options, 'deliveries.get')),
      async list(options) {
        const known = ['tenantId', 'eventId', 'webhookId', 'status', 'limit', 'cursor'] as const;
        const { tenantId = defaultTenant, ...rest } = optionsOf(options, known, 'deliveries.list');
        return log.deliveries(tenantId, { ...rest, ...pageQuery(rest) });
      },
      async attempts(id, options) {
        const tenantId = tenantOf(options, 'deliveries.attempts');
        await find(id, tenantId);
        return log.attempts(tenantId, id);
      },
      async retry(id, options) {
        const delivery = await move(id, 'pending', tenantOf(options, 'deliveries.retry'));
        wake();
        return delivery;
      },
      async cancel(id, options) {
        const delivery = await move(id, 'cancelled', tenantOf(options, 'deliveries.cancel'));
        const { id: deliveryId, tenantId, eventId, eventType, webhookId, channel } = delivery;
        const facts = { deliveryId, tenantId, eventId, eventType, webhookId, channel, attempt: null };
        announcer.announce('delivery:cancelled', () => facts);
        return delivery;
      },
    },
  };
}
