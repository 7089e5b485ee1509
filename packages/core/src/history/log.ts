import { PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { Attempt, Delivery, DeliveryStatus } from '../models/delivery.js';
import { eventSchema, type WebhookEvent } from '../models/event.js';
import { defaultTenant, deliveryIdSchema, eventIdSchema, type TenantOption } from '../models/fields.js';
import type { CheckedStorage } from '../storage/checked-storage.js';
import { type Page, type PageQuery, pageQuery } from '../storage/page.js';
import { omitUndefined, parse, parseOptions } from '../validation.js';
import { createExplain, type Explanation } from './explain.js';
import { parseSelection, type SelectionOptions, selectionOptions } from './selection.js';
import { createStats, type Stats, type StatsOptions } from './stats.js';
import { eventRange, type TimeRange } from './time-range.js';

/** The options of `events.list`: selects the events that match every given field. */
export interface EventListOptions<EventType extends string = string>
  extends TenantOption,
    Partial<PageQuery>,
    TimeRange {
  /** The exact event type; not a pattern. */
  readonly type?: EventType;
}

/** The options of `deliveries.listUndelivered`. */
export interface UndeliveredOptions<EventType extends string = string>
  extends TenantOption,
    Partial<PageQuery>,
    SelectionOptions<EventType> {}

/** The options of `deliveries.list`: selects the deliveries that match every given field. */
export interface DeliveryListOptions<EventType extends string = string>
  extends UndeliveredOptions<EventType> {
  /** Any of these. Default: all. */
  readonly status?: readonly DeliveryStatus[];
}

/**
 * Reads the events of one tenant at a time. The event of another tenant is `not_found`. Filters take the event types of the
 * catalog; `const events: Events = dispatcher.events` takes any text.
 */
export interface Events<EventType extends string = string> {
  get(eventId: string, options?: TenantOption): Promise<WebhookEvent>;
  /** Lists events, newest first. `limit` is 1 to 1,000, by default 50. */
  list(options?: EventListOptions<EventType>): Promise<Page<WebhookEvent>>;
  /**
   * Explains what became of an event and what happens next, webhook by webhook, and why other webhooks did not get it.
   * It reads all webhooks of the tenant and may take long: for support and dashboards, not for the hot path.
   */
  explain(eventId: string, options?: TenantOption): Promise<Explanation>;
}

/**
 * Reads and moves the deliveries of one tenant at a time. The delivery of another tenant is `not_found`. Filters take the event
 * types of the catalog; `const deliveries: Deliveries = dispatcher.deliveries` takes any text.
 */
export interface Deliveries<EventType extends string = string> {
  get(deliveryId: string, options?: TenantOption): Promise<Delivery>;
  /** Lists deliveries, newest first. `limit` is 1 to 1,000, by default 50. */
  list(options?: DeliveryListOptions<EventType>): Promise<Page<Delivery>>;
  /** Lists the deliveries that ended without success: `dead` and `cancelled`. Paged as `list`. */
  listUndelivered(options?: UndeliveredOptions<EventType>): Promise<Page<Delivery>>;
  /** Counts deliveries by status, in buckets of equal length. Default: the last 24 hours. */
  stats(options?: StatsOptions<EventType>): Promise<Stats>;
  /** Resolves to all attempts, first to last. */
  attempts(deliveryId: string, options?: TenantOption): Promise<readonly Attempt[]>;
  /**
   * Retries a delivery: due at once, with a new retry schedule. If it has several recipients, it is sent to those that
   * do not have it yet; if it is `delivered`, to all again. Rejects with `conflict` while it is being sent, or if its
   * webhook was deleted.
   */
  retry(deliveryId: string, options?: TenantOption): Promise<Delivery>;
  /** Cancels a delivery. Rejects with `conflict` if it is already final. A request in flight may still arrive. */
  cancel(deliveryId: string, options?: TenantOption): Promise<Delivery>;
}

/** What {@link createHistory} needs of the engine. */
export interface HistoryOptions {
  readonly storage: Pick<CheckedStorage, 'log' | 'webhooks' | 'supports'>;
  readonly lifecycle: LifecycleEmitter;
  readonly now: () => number;
  /** Called when a delivery became due. */
  readonly wake: () => void;
}

const typeSchema = eventSchema.pick({ type: true }).partial();
const undelivered: readonly DeliveryStatus[] = ['dead', 'cancelled'];
const listOptions = ['tenantId', ...selectionOptions, 'limit', 'cursor'] as const;

/** Creates the calls that read and move events and deliveries. */
export function createHistory({ storage, lifecycle, now, wake }: HistoryOptions): {
  events: Events;
  deliveries: Deliveries;
} {
  const { log } = storage;
  const explain = createExplain(storage);

  async function one<Item>(
    what: string,
    form: typeof eventIdSchema,
    id: unknown,
    read: (id: string) => Promise<Page<Item>>,
  ): Promise<Item> {
    // A value that cannot be an id does not reach the storage, which may be unable to represent it.
    const { data } = form.safeParse(id);
    const [item] = data === undefined ? [] : (await read(data)).items;
    if (!item) throw new PosthornError('not_found', `no ${what} has this id`);
    return item;
  }

  const findEvent = (eventId: string, tenantId: string): Promise<WebhookEvent> =>
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
    parseOptions(options, ['tenantId'], what).tenantId ?? defaultTenant;

  const listed = (options: DeliveryListOptions, what: string): Promise<Page<Delivery>> => {
    const { tenantId = defaultTenant } = options;
    return log.deliveries(tenantId, Object.assign(parseSelection(options, what), pageQuery(options)));
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
        const given = parseOptions(options, known, 'events.list');
        const { tenantId = defaultTenant, type } = given;
        parse(typeSchema, omitUndefined({ type }), 'invalid_option', 'options of events.list');
        return log.events(
          tenantId,
          Object.assign(omitUndefined({ type, ...eventRange(given) }), pageQuery(given)),
        );
      },
    },
    deliveries: {
      get: async (id, options) => find(id, tenantOf(options, 'deliveries.get')),
      async list(options) {
        const known = [...listOptions, 'status'] as const;
        return listed(parseOptions(options, known, 'deliveries.list'), 'deliveries.list');
      },
      async listUndelivered(options) {
        const given = parseOptions(options, listOptions, 'deliveries.listUndelivered');
        return listed(Object.assign(given, { status: undelivered }), 'deliveries.listUndelivered');
      },
      stats: createStats(log, now),
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
        lifecycle.emit('delivery:cancelled', () => facts);
        return delivery;
      },
    },
  };
}
