import { optionsOf } from '../door.js';
import { PosthornError } from '../errors.js';
import { type DeliveryStatus, deliveryStatusSchema } from '../models/delivery.js';
import { defaultTenant, type TenantOption } from '../models/fields.js';
import { firstEventId } from '../models/ids.js';
import type { DeliveryCounts, DeliveryLog } from '../storage/log-port.js';
import { type SelectionOptions, selectionOf } from './selection.js';
import { instantOf } from './time-range.js';

export interface StatsOptions extends TenantOption, Pick<SelectionOptions, 'webhookId' | 'eventType'> {
  /** The first instant. Default: 24 hours before `to`. */
  readonly from?: Date;
  /** The first instant after it. Default: now, with this millisecond. */
  readonly to?: Date;
  /** Into how many stretches of one length the time is divided, 1 to 500. Default 24. */
  readonly buckets?: number;
}

/** How many deliveries of the events of one stretch of time stand where; `from` belongs to it, `to` does not. */
export interface StatsBucket {
  readonly from: Date;
  readonly to: Date;
  readonly counts: DeliveryCounts;
}

/** How many deliveries of the events of some time stand where by now. */
export interface Stats {
  readonly from: Date;
  readonly to: Date;
  readonly total: DeliveryCounts;
  /** One after the other, from `from` to `to`, those with no deliveries included. */
  readonly buckets: readonly StatsBucket[];
}

const dayMs = 86_400_000;
const maxBuckets = 500;
const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

/** Counts the deliveries in `log`. Rejects with `invalid_option`. */
export function statsOf(
  log: Required<DeliveryLog>,
  now: () => number,
): (options?: StatsOptions) => Promise<Stats> {
  const known = ['tenantId', 'webhookId', 'eventType', 'from', 'to', 'buckets'] as const;
  return async (options) => {
    const given = optionsOf(options, known, 'deliveries.stats');
    const { tenantId = defaultTenant, buckets: count = 24, from, to, ...fields } = given;
    if (!Number.isInteger(count) || count < 1 || count > maxBuckets) {
      throw invalid(`buckets must be a whole number from 1 to ${maxBuckets}`);
    }
    const end = instantOf(to, 'to') ?? Math.floor(now()) + 1;
    const start = instantOf(from, 'from') ?? end - dayMs;
    if (end - start < count) throw invalid('to must be later than from, by a millisecond a bucket at least');
    const limits = Array.from(
      { length: count + 1 },
      (_, i) => new Date(start + Math.floor((i * (end - start)) / count)),
    );
    const [first, last] = [limits[0]!, limits.at(-1)!];
    const bounds = limits.slice(1, -1).map((limit) => firstEventId(limit.getTime()));
    const selection = selectionOf({ ...fields, from: first, to: last }, 'deliveries.stats');
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
