import type { ClaimOptions, NewEvent } from '@posthorn/core/storage';
import { arrayOf, plainArrayOf } from '../client/arrays.js';
import { isUnstorable } from '../client/texts.js';
import { type Kind, type KnownTargets, maxTargets, type Target } from './known-targets.js';
import { payloadsOf } from './payload-bytes.js';
import { noRoom, type Place, Rooms } from './rooms.js';
import type { Leased } from './store-answer.js';

/**
 * Batches with more deliveries use the general statement, which creates them in the database: sending each one costs
 * more.
 */
const maxDeliveries = 5_000;

/** A delivery to be stored. */
interface Delivery extends Leased {
  readonly place: Place;
  readonly target: Target;
  readonly isLeased: boolean;
}

/** Events, their targets, and the deliveries to lease. */
export interface QuickBatch {
  readonly events: readonly NewEvent[];
  /** The kind of each event. */
  readonly kinds: readonly Kind[];
  /** Each target once, by its number. */
  readonly targets: readonly Target[];
  readonly deliveries: readonly Delivery[];
  readonly leased: readonly Delivery[];
}

/** Whether an event has no key and no order, and its texts can be elements of an array. */
export const isCommon = (event: NewEvent): boolean =>
  event.idempotencyKey === undefined &&
  event.orderingKey === null &&
  /^\w+$/.test(event.id) &&
  !(hasDetails(event) && detailsOf(event).some((detail) => detail !== null && isUnstorable(detail)));

export const hasDetails = ({ namespaceId, subject, cacheScope }: NewEvent): boolean =>
  namespaceId !== null || subject !== null || cacheScope !== null;

const detailsOf = ({ namespaceId, subject, cacheScope }: NewEvent): readonly (string | null)[] => [
  namespaceId,
  subject?.type ?? null,
  subject?.id ?? null,
  cacheScope,
];

/** Returns undefined where the targets of an event are unknown, or where there are too many. */
export function quickBatch(
  events: readonly NewEvent[],
  known: KnownTargets,
  prefetch: ClaimOptions | undefined,
): QuickBatch | undefined {
  const rooms = new Rooms(prefetch ?? noRoom);
  const kinds: Kind[] = [];
  const targets: Target[] = [];
  const deliveries: Delivery[] = [];
  const placesOf = new Map<Kind, readonly Place[]>();
  let kind: Kind | undefined;
  let places: readonly Place[] = [];
  for (const event of events) {
    // The events of a call are mostly of one kind.
    if (kind?.type !== event.type || kind.tenantId !== event.tenantId) {
      kind = known.of(event.tenantId, event.type);
      if (!kind) return undefined;
      const placed = placesOf.get(kind);
      places = placed ?? kind.targets.map((target) => rooms.placeOf(target));
      if (!placed) {
        placesOf.set(kind, places);
        targets.push(...kind.targets);
      }
      if (targets.length > maxTargets || placesOf.size > maxTargets) return undefined;
    }
    kinds.push(kind);
    for (const place of places) {
      deliveries.push({ event, target: place.target, place, isLeased: rooms.take(place) });
    }
    if (deliveries.length > maxDeliveries) return undefined;
  }
  return { events, kinds, targets, deliveries, leased: deliveries.filter(({ isLeased }) => isLeased) };
}

export interface Lease {
  readonly lease: number;
  readonly leaseMs: number;
}

/** Returns the values of `quickText`, in its order. */
export function valuesOf(batch: QuickBatch, { lease, leaseMs }: Lease): unknown[] {
  const { events, kinds, targets, deliveries, leased } = batch;
  const numbers = new Map<Kind, number>();
  for (const kind of kinds) if (!numbers.has(kind)) numbers.set(kind, numbers.size + 1);
  const distinct = [...numbers.keys()];
  const checked = new Map(distinct.map(({ tenantId, version }) => [tenantId, version]));
  const { bytes, starts } = payloadsOf(events);
  const isOneByOne = distinct.every((kind) => kind.targets.length === 1);
  const values: unknown[] = [
    plainArrayOf(events.map(({ id }) => id)),
    bytes,
    plainArrayOf(starts),
    plainArrayOf(events.map(({ occurredAt }) => occurredAt.getTime())),
    plainArrayOf(kinds.map((kind) => numbers.get(kind)!)),
    arrayOf(distinct.map(({ tenantId }) => tenantId)),
    arrayOf(distinct.map(({ type }) => type)),
    plainArrayOf(distinct.map((kind) => kind.targets.length)),
    isOneByOne ? null : plainArrayOf(deliveries.map(({ event }) => event.id)),
    plainArrayOf(deliveries.map(({ place }) => place.number)),
    arrayOf(targets.map(({ tenantId }) => tenantId)),
    arrayOf(targets.map(({ id }) => id)),
    arrayOf(targets.map(({ bindingId }) => bindingId)),
    arrayOf(targets.map(({ channel }) => channel)),
    arrayOf([...checked.keys()]),
    plainArrayOf([...checked.values()]),
  ];
  if (leased.length > 0) {
    const lanes = [...new Map(leased.map(({ target }) => [target.id, target])).values()];
    values.push(
      plainArrayOf(deliveries.map(({ isLeased }) => isLeased)),
      leaseMs,
      lease,
      arrayOf(lanes.map(({ tenantId }) => tenantId)),
      arrayOf(lanes.map(({ id }) => id)),
    );
  }
  if (events.some(hasDetails)) {
    const details = events.map(detailsOf);
    for (let n = 0; n < 4; n++) values.push(arrayOf(details.map((detail) => detail[n]!)));
  }
  return values;
}

/** Returns the values of `quickTextOfOne`, in its order. */
export function valuesOfOne(
  { events, kinds, targets, leased }: QuickBatch,
  { lease, leaseMs }: Lease,
): unknown[] {
  const [event, kind, target] = [events[0]!, kinds[0]!, targets[0]!];
  return [
    event.id,
    event.payload,
    event.occurredAt.getTime(),
    ...detailsOf(event),
    event.tenantId,
    event.type,
    target.id,
    target.bindingId,
    target.channel,
    kind.version,
    ...(leased.length > 0 ? [leaseMs, lease] : []),
  ];
}
