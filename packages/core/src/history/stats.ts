import { PosthornError } from '../errors.js';
import { type DeliveryStatus, deliveryStatusSchema } from '../models/delivery.js';
import { defaultTenant, type TenantOption } from '../models/fields.js';
import { firstEventId } from '../models/ids.js';
import type { DeliveryCounts, DeliveryLog } from '../storage/log-port.js';
import { parseOptions } from '../validation.js';
import { parseSelection, type SelectionOptions } from './selection.js';
import { parseInstant } from './time-range.js';

/** The options of `deliveries.stats`. */
export interface StatsOptions<EventType extends string = string>
  extends TenantOption,
    Pick<SelectionOptions<EventType>, 'webhookId' | 'eventType'> {
  /** The start of the time range, inclusive. Default: 24 hours before `to`. */
  readonly from?: Date;
  /** The end of the time range, exclusive. Default: now; the present millisecond is included. */
  readonly to?: Date;
  /** The number of buckets of equal length, 1 to 500. Default 24. */
  readonly buckets?: number;
}

/** Counts the deliveries of the events published in [from, to), by their present status. */
interface StatsBucket {
  readonly from: Date;
  readonly to: Date;
  readonly counts: DeliveryCounts;
}

/** Counts the deliveries of the events published in [from, to), by their present status. */
export interface Stats {
  readonly from: Date;
  readonly to: Date;
  readonly total: DeliveryCounts;
  /** In order from `from` to `to`, including those without deliveries. */
  readonly buckets: readonly StatsBucket[];
}

const dayMs = 86_400_000;
const maxBuckets = 500;
const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

/** Creates `deliveries.stats`. */
export function createStats(
  log: Required<DeliveryLog>,
  now: () => number,
): (options?: StatsOptions) => Promise<Stats> {
  const known = ['tenantId', 'webhookId', 'eventType', 'from', 'to', 'buckets'] as const;
  return async (options) => {
    const given = parseOptions(options, known, 'deliveries.stats');
    const { tenantId = defaultTenant, buckets: count = 24, from, to, ...fields } = given;
    if (!Number.isInteger(count) || count < 1 || count > maxBuckets) {
      throw invalid(`buckets must be a whole number from 1 to ${maxBuckets}`);
    }
    const end = parseInstant(to, 'to') ?? Math.floor(now()) + 1;
    const start = parseInstant(from, 'from') ?? end - dayMs;
    if (end - start < count)
      throw invalid('to must be later than from, by at least one millisecond per bucket');
    const limits = Array.from(
      { length: count + 1 },
      (_, i) => new Date(start + Math.floor((i * (end - start)) / count)),
    );
    const [first, last] = [limits[0]!, limits.at(-1)!];
    const bounds = limits.slice(1, -1).map((limit) => firstEventId(limit.getTime()));
    const selection = parseSelection({ ...fields, from: first, to: last }, 'deliveries.stats');
    const counts = await log.counts(tenantId, selection, bounds);
    return {
      from: first,
      to: last,
      total: sumOf(counts),
      buckets: counts.map((one, i) => ({ from: limits[i]!, to: limits[i + 1]!, counts: one })),
    };
  };
}

function sumOf(counts: readonly DeliveryCounts[]): DeliveryCounts {
  const sum = (status: DeliveryStatus) => counts.reduce((total, one) => total + one[status], 0);
  const entries = deliveryStatusSchema.options.map((status) => [status, sum(status)]);
  return Object.fromEntries(entries) as DeliveryCounts;
}
