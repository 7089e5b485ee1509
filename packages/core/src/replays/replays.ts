import { z } from 'zod';
import { PosthornError } from '../errors.js';
import { eventSchema } from '../models/event.js';
import {
  defaultTenant,
  oneOf,
  type TenantOption,
  tenantIdSchema,
  webhookIdSchema,
} from '../models/fields.js';
import { firstEventId, type Ids } from '../models/ids.js';
import type { Replay, ReplaySelection } from '../models/replay.js';
import type { Backfilled } from '../storage/backfill.js';
import type { CheckedStorage } from '../storage/checked-storage.js';
import { parse, parseOptions } from '../validation.js';
import { type ReplayStore, replayStore } from './replay-store.js';

/** Selects the deliveries of a tenant that match every given field. */
export interface ReplayFilter<EventType extends string = string> extends TenantOption {
  /**
   * Any of these, when the replay reaches the delivery. A `pending` delivery that waits for its next attempt becomes
   * due now, and its retry schedule continues. Default: `['dead']`.
   */
  readonly status?: readonly ('dead' | 'cancelled' | 'delivered' | 'pending')[];
  /**
   * Whether to create missing deliveries instead: those that stored events would get from the present active webhooks,
   * for example because a webhook was paused or did not exist when the event was dispatched. An event gets one delivery
   * per channel, however often it is replayed. Needs `from`, and takes no `status`. The oldest events come first.
   * Default false.
   */
  readonly missed?: boolean;
  /** The exact event type; not a pattern. */
  readonly eventType?: EventType;
  /** Those of this webhook. */
  readonly webhookId?: string;
  /** The earliest time at which the event was dispatched, inclusive, by the clock of the dispatching process. */
  readonly from?: Date;
  /** The end of that time range, exclusive. Default and maximum: now. */
  readonly to?: Date;
}

/** The options of `replays.create`. */
export interface ReplayOptions<EventType extends string = string> extends ReplayFilter<EventType> {
  /** The maximum rate in deliveries per second, restarted a quarter at a time: 1 to 10,000. Default 100. */
  readonly perSecond?: number;
}

/** Restarts many deliveries, as `deliveries.retry` restarts one. The replay of another tenant is `not_found`. */
export interface Replays<EventType extends string = string> {
  /** Whether the storage supports replays. If not, every call rejects with `invalid_option`. */
  readonly areKept: boolean;
  /**
   * Stores a replay. Any started process runs it: newest deliveries first, or with `missed` oldest events first.
   * Rejects with `invalid_option`, also if the storage does not support replays, or with `not_found` for an unknown
   * webhook.
   *
   * A replay visits each delivery once, even if the delivery dies again meanwhile. If a process crashes during a step
   * or stalls for half a minute, the step is repeated. A delivery that was restarted in it and matches again, such as
   * one that died again, is then restarted again: at least once.
   */
  create(options?: ReplayOptions<EventType>): Promise<Replay>;
  /** Counts the deliveries that `create` with the same filter would restart or create now. Rejects as `create`. */
  count(filter?: ReplayFilter<EventType>): Promise<number>;
  get(replayId: string, options?: TenantOption): Promise<Replay>;
  /** Cancels a running replay. Deliveries that were restarted stay so. A finished replay does not change. */
  cancel(replayId: string, options?: TenantOption): Promise<Replay>;
}

const instant = z.date().min(new Date(0));
const filterShape = {
  tenantId: tenantIdSchema.default(defaultTenant),
  status: z
    .array(oneOf(['dead', 'cancelled', 'delivered', 'pending']))
    .min(1)
    .transform((status) => [...new Set(status)])
    .optional(),
  missed: z.boolean().default(false),
  eventType: eventSchema.shape.type.optional(),
  webhookId: webhookIdSchema.optional(),
  from: instant.optional(),
  to: instant.optional(),
};
const filterSchema = z.strictObject(filterShape);
const optionsSchema = z.strictObject({
  ...filterShape,
  perSecond: z.int().min(1).max(10_000).default(100),
});
const filterFields = Object.keys(filterShape) as (keyof typeof filterShape)[];
const optionFields = [...filterFields, 'perSecond' as const];

/** What {@link createReplays} needs of the engine. */
export interface ReplaysOptions {
  readonly storage: Pick<CheckedStorage, 'webhooks' | 'deliveries' | 'log' | 'documents' | 'supports'>;
  readonly ids: Ids;
  readonly now: () => number;
  /** Called when a replay was created. */
  readonly wake: () => void;
}

/** The replays, with the calls that the engine itself makes. */
export interface ManagedReplays extends Replays {
  /** Deletes the replays that ended at least `olderThanMs` ago. */
  prune(olderThanMs: number): Promise<void>;
}

/** Creates the calls that manage replays. */
export function createReplays({ storage, ids, now, wake }: ReplaysOptions): ManagedReplays {
  const { webhooks, deliveries, log, supports } = storage;
  const kept = supports.replays ? replayStore(storage.documents!) : undefined;

  function store(): ReplayStore {
    if (kept) return kept;
    const remedy = 'use one that supports replays, or deliveries.retry for each delivery';
    throw new PosthornError('invalid_option', `this storage does not support replays: ${remedy}`);
  }

  async function selectionOf(filter: z.output<typeof filterSchema>): Promise<ReplaySelection> {
    const { tenantId, status, missed, eventType, webhookId, from, to } = filter;
    if (missed && status) {
      throw new PosthornError(
        'invalid_option',
        'replay takes status or missed, not both: a missing delivery has no status',
      );
    }
    if (missed && !from) {
      throw new PosthornError(
        'invalid_option',
        'replay with missed needs from: the time from which deliveries are missing',
      );
    }
    // Includes the events of the present millisecond.
    const end = Math.min(to?.getTime() ?? Number.POSITIVE_INFINITY, now() + 1);
    if (from && from.getTime() >= end) {
      throw new PosthornError('invalid_option', 'from must be earlier than to, and than the present time');
    }
    if (webhookId !== undefined && !(await webhooks.get(tenantId, webhookId))) {
      throw new PosthornError('not_found', 'no webhook has this id');
    }
    return {
      ...(missed ? { status: [], isMissed: true } : { status: status ?? ['dead'] }),
      ...(eventType !== undefined && { eventType }),
      ...(webhookId !== undefined && { webhookId }),
      ...(from && { fromEventId: firstEventId(from.getTime()) }),
      beforeEventId: firstEventId(end),
    };
  }

  async function countMissed(tenantId: string, selection: ReplaySelection): Promise<number> {
    let sum = 0;
    let cursor: string | null = null;
    do {
      const counted: Backfilled = await deliveries.backfill!(tenantId, selection, {
        limit: 1,
        cursor,
        isDryRun: true,
      });
      sum += counted.deliveries;
      cursor = counted.cursor;
    } while (cursor !== null);
    return sum;
  }

  async function found(
    replayId: unknown,
    tenantId: string | undefined,
    read: (tenantId: string, replayId: string) => Promise<Replay | undefined>,
  ): Promise<Replay> {
    const replay = isReplayId(replayId) ? await read(tenantId ?? defaultTenant, replayId) : undefined;
    if (!replay) throw new PosthornError('not_found', 'no replay has this id');
    return replay;
  }

  return {
    areKept: supports.replays,

    async create(options) {
      const given = parseOptions(options, optionFields, 'replays.create');
      const { perSecond, ...filter } = parse(optionsSchema, given, 'invalid_option', 'replay');
      const { create } = store();
      const selection = await selectionOf(filter);
      const replay = await create({ id: ids.replay(), tenantId: filter.tenantId, selection, perSecond });
      wake();
      return replay;
    },

    async count(filter) {
      const given = parseOptions(filter, filterFields, 'replays.count');
      const checked = parse(filterSchema, given, 'invalid_option', 'replay');
      store();
      const selection = await selectionOf(checked);
      if (selection.isMissed) return countMissed(checked.tenantId, selection);
      const [counts] = await log.counts(checked.tenantId, selection, []);
      return selection.status.reduce((sum, status) => sum + counts![status], 0);
    },

    async get(replayId, options) {
      const { tenantId } = parseOptions(options, ['tenantId'], 'replays.get');
      return found(replayId, tenantId, store().get);
    },

    async cancel(replayId, options) {
      const { tenantId } = parseOptions(options, ['tenantId'], 'replays.cancel');
      return found(replayId, tenantId, store().cancel);
    },

    prune: async (olderThanMs) => kept?.prune(olderThanMs),
  };
}

const isReplayId = (value: unknown): value is string =>
  typeof value === 'string' && /^rpl_[0-9A-Za-z]{22}$/.test(value);
