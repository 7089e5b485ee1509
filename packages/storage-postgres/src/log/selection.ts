import type { DeliverySelection } from '@posthorn/core/storage';
import type { IdRange } from '../client/pages.js';
import type { Parameters } from '../client/parameters.js';

/** Deliveries of one table, as `row`, each with its event, as `e`. */
export interface Half {
  readonly row: 'q' | 'd';
  /** The SQL of the status. */
  readonly status: string;
  /** The SQL from `from` on. */
  readonly from: string;
}

export interface Selected extends Omit<DeliverySelection, 'eventId' | 'fromEventId' | 'beforeEventId'> {
  readonly range: IdRange;
  readonly bindingId: string | undefined;
}

const finished = ['delivered', 'dead', 'cancelled'] as const;
const unfinished = ['pending', 'sending'] as const;

/**
 * Returns the selected deliveries. A delivery is in `queue` until it is finished, and in `deliveries` from then on. A
 * table that can have no match is left out.
 */
export function halvesOf(
  tenantId: string,
  { range, bindingId, webhookId, eventType, status }: Selected,
  { as }: Parameters,
): Half[] {
  const wanted = <Status extends string>(all: readonly Status[]): readonly Status[] =>
    all.filter((one) => status === undefined || (status as readonly string[]).includes(one));
  const [inQueue, inDeliveries] = [wanted(unfinished), wanted(finished)];
  const [tenant, from, before] = [tenantId, range.from, range.before].map((value) => as('text', value));
  const fields = [
    ...(eventType === undefined ? [] : [`e.type = ${as('text', eventType)}`]),
    ...(webhookId === undefined ? [] : [`@.webhook_id = ${as('text', webhookId)}`]),
    ...(bindingId === undefined ? [] : [`@.binding_id = ${as('text', bindingId)}`]),
  ];
  const half = (row: 'q' | 'd', table: string, statusText: string, only: readonly string[]): Half => ({
    row,
    status: statusText,
    // On both tables, because the planner prunes the partitions of each by conditions on its own column.
    from: `$.${table} ${row} join $.events e on e.id = ${row}.event_id
      where e.tenant_id = ${tenant} and e.id >= ${from} and e.id < ${before}
        and ${row}.event_id >= ${from} and ${row}.event_id < ${before}
        ${[...fields, ...only].map((text) => `and ${text.replace('@', row)}`).join(' ')}`,
  });
  return [
    ...(inQueue.length === 0
      ? []
      : [half('q', 'queue', unfinishedStatus, ['q.tenant_id = e.tenant_id', ...ofLease(inQueue)])]),
    ...(inDeliveries.length === 0 ? [] : [half('d', 'deliveries', 'd.status', ofStatus(inDeliveries))]),
  ];
}

const unfinishedStatus = `case when q.lease is null then 'pending' else 'sending' end`;

const ofLease = (statuses: readonly string[]): string[] =>
  statuses.length === unfinished.length
    ? []
    : [`q.lease is ${statuses.includes('sending') ? 'not ' : ''}null`];

/**
 * In the words of the partial index of undelivered deliveries, so that it is used. The statuses are constants, never
 * input.
 */
function ofStatus(statuses: readonly string[]): string[] {
  if (statuses.length === finished.length) return [];
  const among = `d.status in (${statuses.map((one) => `'${one}'`).join(', ')})`;
  return statuses.includes('delivered') ? [among] : ["d.status <> 'delivered'", among];
}
