import { z } from 'zod';
import { optionsOf, parse } from '../door.js';
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
import type { UsableStorage } from '../storage/storage-port.js';
import { type ReplayStore, replayStore } from './replay-store.js';

/** Which deliveries of a tenant: those that fit all that is given. */
export interface ReplayFilter extends TenantOption {
  /**
   * Where they stand when their turn comes. `pending`: what waits for a later attempt is due now, and its retry schedule
   * goes on where it is. Default: `dead` alone.
   */
  readonly status?: readonly ('dead' | 'cancelled' | 'delivered' | 'pending')[];
  /**
   * Makes deliveries instead, for stored events that active webhooks would have by what they are now and do not: they were
   * switched off when the event came, say, or not there yet. Of each event and channel one, however often it is asked for.
   * Needs `from`, and takes no `status`. The oldest events come first. Default false.
   */
  readonly missed?: boolean;
  /** Of events of this very type. */
  readonly eventType?: string;
  /** To this webhook. */
  readonly webhookId?: string;
  /** Of events that were dispatched then or later, by the clock of the process that did. */
  readonly from?: Date;
  /** Of events that were dispatched earlier. Default, and at most: the present time. */
  readonly to?: Date;
}

export interface ReplayOptions extends ReplayFilter {
  /** At most so many deliveries are started again in a second, a quarter of them at a time; 1 to 10,000. Default 100. */
  readonly perSecond?: number;
}

/** Starts many deliveries again, as `deliveries.retry` does one. Another tenant's replay is `not_found`. */
export interface Replays {
  /** Whether the storage keeps any; where not, each call rejects with `invalid_option`. */
  readonly areKept: boolean;
  /**
   * Stores a replay; started processes carry it out, newest deliveries first (`missed`: oldest first), whichever of them there are. It rejects
   * with `invalid_option`, also where the storage keeps no replays, and `not_found` for a webhook that is not there.
   *
   * It goes past each delivery once, also where that dies again meanwhile. But where a process dies amid a step, or
   * stands still for half a minute, the step is taken again: what it had started is started once more where it fits
   * again, having died again, say, or been delivered in a replay of what is `delivered`. That is at least once.
   */
  create(options?: ReplayOptions): Promise<Replay>;
  /** How many deliveries fit now, so that `create` with the same filter would start them. Rejects as `create` does. */
  count(filter?: ReplayFilter): Promise<number>;
  get(replayId: string, options?: TenantOption): Promise<Replay>;
  /** Ends it; what was started again stays so. One that is finished stays as it is. */
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

export interface ReplaysOptions {
  readonly storage: Pick<UsableStorage, 'webhooks' | 'deliveries' | 'log' | 'documents' | 'supports'>;
  readonly ids: Ids;
  readonly now: () => number;
  /** Called when there is a new one. */
  readonly wake: () => void;
}

/** Replays, and what the engine itself does to them. */
export interface ManagedReplays extends Replays {
  /** Forgets those that ended `olderThanMs` ago or earlier. */
  prune(olderThanMs: number): Promise<void>;
}

/** The application's side of replays. */
export function managedReplays({ storage, ids, now, wake }: ReplaysOptions): ManagedReplays {
  const { webhooks, deliveries, log, supports } = storage;
  const kept = supports.replays ? replayStore(storage.documents!) : undefined;

  function store(): ReplayStore {
    if (kept) return kept;
    const remedy = 'use one that supports replays, or deliveries.retry for each delivery';
    throw new PosthornError('invalid_option', `this storage keeps no replays; ${remedy}`);
  }

  async function selectionOf(filter: z.output<typeof filterSchema>): Promise<ReplaySelection> {
    const { tenantId, status, missed, eventType, webhookId, from, to } = filter;
    if (missed && status) {
      throw new PosthornError(
        'invalid_option',
        'replay takes a status or missed, not both: what is missed has none',
      );
    }
    if (missed && !from) {
      throw new PosthornError(
        'invalid_option',
        'replay of what was missed needs from: the instant since when it was',
      );
    }
    // What was dispatched in this very millisecond is there already.
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
      const given = optionsOf(options, optionFields, 'replays.create');
      const { perSecond, ...filter } = parse(optionsSchema, given, 'invalid_option', 'replay');
      const { create } = store();
      const selection = await selectionOf(filter);
      const replay = await create({ id: ids.replay(), tenantId: filter.tenantId, selection, perSecond });
      wake();
      return replay;
    },

    async count(filter) {
      const given = optionsOf(filter, filterFields, 'replays.count');
      const checked = parse(filterSchema, given, 'invalid_option', 'replay');
      store();
      const selection = await selectionOf(checked);
      if (selection.isMissed) return countMissed(checked.tenantId, selection);
      const [counts] = await log.counts(checked.tenantId, selection, []);
      return selection.status.reduce((sum, status) => sum + counts![status], 0);
    },

    async get(replayId, options) {
      const { tenantId } = optionsOf(options, ['tenantId'], 'replays.get');
      return found(replayId, tenantId, store().get);
    },

    async cancel(replayId, options) {
      const { tenantId } = optionsOf(options, ['tenantId'], 'replays.cancel');
      return found(replayId, tenantId, store().cancel);
    },

    prune: async (olderThanMs) => kept?.prune(olderThanMs),
  };
}

const isReplayId = (value: unknown): value is string =>
  typeof value === 'string' && /^rpl_[0-9A-Za-z]{22}$/.test(value);
