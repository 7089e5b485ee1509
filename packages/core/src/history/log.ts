import { givenOf, optionsOf, parse } from '../door.js';
import { PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import type { Attempt, Delivery, DeliveryStatus } from '../models/delivery.js';
import { type Event, eventSchema } from '../models/event.js';
import { defaultTenant, deliveryIdSchema, eventIdSchema, type TenantOption } from '../models/fields.js';
import { type Page, type PageQuery, pageQuery } from '../storage/page.js';
import type { UsableStorage } from '../storage/storage-port.js';
import { type Explanation, explainer } from './explain.js';
import { type SelectionOptions, selectionOf, selectionOptions } from './selection.js';
import { type Stats, type StatsOptions, statsOf } from './stats.js';
import { eventRange, type TimeRange } from './time-range.js';

export interface EventListOptions extends TenantOption, Partial<PageQuery>, TimeRange {
  /** The very type: no pattern. */
  readonly type?: string;
}

export interface UndeliveredOptions extends TenantOption, Partial<PageQuery>, SelectionOptions {}

export interface DeliveryListOptions extends UndeliveredOptions {
  /** Those with any of these. Default: all. */
  readonly status?: readonly DeliveryStatus[];
}

/** What happened, for one tenant at a time; another tenant's is `not_found`. */
export interface Events {
  get(eventId: string, options?: TenantOption): Promise<Event>;
  /** Newest first, 50 a page unless `limit` says otherwise (1 to 1,000). */
  list(options?: EventListOptions): Promise<Page<Event>>;
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
  list(options?: DeliveryListOptions): Promise<Page<Delivery>>;
  /** Those whose journey ended without success, `dead` and `cancelled`; paged as `list` is. */
  listUndelivered(options?: UndeliveredOptions): Promise<Page<Delivery>>;
  /** Counts those of some time, the last 24 hours by default, by their status and by stretches of one length. */
  stats(options?: StatsOptions): Promise<Stats>;
  /** Every attempt, first to last. */
  attempts(deliveryId: string, options?: TenantOption): Promise<readonly Attempt[]>;
  /**
   * Starts again: due at once, with a whole retry schedule. Of several recipients it goes to those who do not have it yet, or,
   * where it is delivered, to all again. `conflict` while it is being sent, or its webhook is gone.
   */
  retry(deliveryId: string, options?: TenantOption): Promise<Delivery>;
  /** Ends it. `conflict` where it is final already. A request that is under way may still arrive. */
  cancel(deliveryId: string, options?: TenantOption): Promise<Delivery>;
}

export interface LogContext {
  readonly storage: Pick<UsableStorage, 'log' | 'webhooks' | 'supports'>;
  readonly announcer: Announcer;
  readonly now: () => number;
  /** Called when something became due. */
  readonly wake: () => void;
}

const typeSchema = eventSchema.pick({ type: true }).partial();
const undelivered: readonly DeliveryStatus[] = ['dead', 'cancelled'];
const listOptions = ['tenantId', ...selectionOptions, 'limit', 'cursor'] as const;

/** The application's side of the log. */
export function logOf({ storage, announcer, now, wake }: LogContext): {
  events: Events;
  deliveries: Deliveries;
} {
  const { log } = storage;
  const explain = explainer(storage);

  async function one<Item>(
    what: string,
    form: typeof eventIdSchema,
    id: unknown,
    read: (id: string) => Promise<Page<Item>>,
  ): Promise<Item> {
    // What is never an id is not asked for: a storage may be unable to hold it.
    const { data } = form.safeParse(id);
    const [item] = data === undefined ? [] : (await read(data)).items;
    if (!item) throw new PosthornError('not_found', `no ${what} has this id`);
    return item;
  }

  const findEvent = (eventId: string, tenantId: string): Promise<Event> =>
    one('event', eventIdSchema, eventId, (id) => log.events(tenantId, { id, limit: 1 }));

  const find = (deliveryId: string, tenantId: string): Promise<Delivery> =>
    one('delivery', deliveryIdSchema, deliveryId, (id) => log.deliveries(tenantId, { id, limit: 1 }));

  async function move(deliveryId: string, to: 'pending' | 'cancelled', tenantId: string): Promise<Delivery> {
    const delivery = await find(deliveryId, tenantId);
    const [moved] = await log.transition(tenantId, [deliveryId], to);
    if (moved) return find(deliveryId, tenantId);
    const why = to === 'pending' ? 'being sent, or without its webhook' : 'final already';
    throw new PosthornError('conflict', `delivery is ${why}; its status is ${delivery.status}`);
  }

  const tenantOf = (options: TenantOption | undefined, what: string): string =>
    optionsOf(options, ['tenantId'], what).tenantId ?? defaultTenant;

  const listed = (options: DeliveryListOptions, what: string): Promise<Page<Delivery>> => {
    const { tenantId = defaultTenant } = options;
    return log.deliveries(tenantId, Object.assign(selectionOf(options, what), pageQuery(options)));
  };

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
        const known = ['tenantId', 'type', 'from', 'to', 'limit', 'cursor'] as const;
        const given = optionsOf(options, known, 'events.list');
        const { tenantId = defaultTenant, type } = given;
        parse(typeSchema, givenOf({ type }), 'invalid_option', 'options of events.list');
        return log.events(tenantId, Object.assign(givenOf({ type, ...eventRange(given) }), pageQuery(given)));
      },
    },
    deliveries: {
      get: async (id, options) => find(id, tenantOf(options, 'deliveries.get')),
      async list(options) {
        const known = [...listOptions, 'status'] as const;
        return listed(optionsOf(options, known, 'deliveries.list'), 'deliveries.list');
      },
      async listUndelivered(options) {
        const given = optionsOf(options, listOptions, 'deliveries.listUndelivered');
        return listed(Object.assign(given, { status: undelivered }), 'deliveries.listUndelivered');
      },
      stats: statsOf(log, now),
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
