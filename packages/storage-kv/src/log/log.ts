import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Attempt, Delivery, Page, WebhookEvent } from '@posthorn/core';
import {
  checkCursor,
  type DeliveryCounts,
  type DeliveryFilter,
  type DeliveryLog,
  type DeliverySelection,
  type EventFilter,
  type EventRange,
  isFinished,
  isInRange,
  isSelected,
  type PageQuery,
  parseDeliveryId,
} from '@posthorn/core/storage';
import { attemptKey, decodeAttempt } from '../rows/attempt-row.js';
import { bindingOf, decodeEntry, type Entry, eventOf, idOf } from '../rows/entry.js';
import { decodeEvent } from '../rows/event-row.js';
import type { Run, Session } from '../session/session.js';
import { endOf } from '../space/draft.js';
import { bare, code, partOf } from '../space/keys.js';
import { prune } from './prune.js';
import { transition } from './transition.js';

/** What happened. What is filtered by more than a time, an event or an id is looked for among all in that time. */
export function deliveryLog(run: Run): DeliveryLog {
  return {
    events: async (tenantId, filter) => events(run, tenantId, filter),
    deliveries: async (tenantId, filter) => deliveries(run, tenantId, filter),
    counts: (tenantId, selection, bounds) => counts(run, tenantId, selection, bounds),
    attempts: (tenantId, deliveryId) => run((session) => attempts(session, tenantId, deliveryId)),
    transition: (tenantId, ids, to) => run((session) => transition(session, tenantId, ids, to)),
    prune: (options) => run((session) => prune(session, options)),
  };
}

const isEventId = (id: string): boolean => /^evt_[0-9A-Za-z]{22}$/.test(id);

/** Which keys under `prefix` belong to events in the range, or to the event; undefined where none can. */
function rangeOf(
  prefix: string,
  { fromEventId, beforeEventId }: EventRange,
  eventId?: string,
): { readonly from: string; readonly before: string } | undefined {
  if (eventId !== undefined) {
    if (!isEventId(eventId)) return undefined;
    return { from: prefix + bare(eventId), before: `${prefix}${bare(eventId)}~` };
  }
  return {
    from: prefix + (fromEventId === undefined ? '' : bare(fromEventId)),
    before: beforeEventId === undefined ? endOf(prefix) : prefix + bare(beforeEventId),
  };
}

/** What one transaction has found, and where the next goes on. */
interface Found<Item> {
  readonly items: readonly Item[];
  /** Undefined where all was looked at, or enough was found. */
  readonly next: string | undefined;
}

/** One transaction looks at this many rows, so that a filter that few fit holds up nothing else. */
const maxLooked = 2_000;

/** A page of what `look` finds, in as many transactions as that takes. */
async function pageOf<Item extends { readonly id: string }>(
  { limit, cursor }: PageQuery,
  look: (cursor: string | undefined, wanted: number) => Promise<Found<Item>>,
): Promise<Page<Item>> {
  // With the first of the next page.
  const { items, next } = await look(cursor, limit + 1);
  const found = [...items];
  for (let at = next; at !== undefined && found.length <= limit; ) {
    await nextTurn();
    const more = await look(at, limit + 1 - found.length);
    found.push(...more.items);
    at = more.next;
  }
  const page = found.slice(0, limit);
  return { items: page, nextCursor: found.length > limit ? bare(page.at(-1)!.id) : null };
}

/** Rows of the log, the latest first, behind a place in it. */
async function look<Item>(
  session: Session,
  prefix: string,
  range: { readonly from: string; readonly before: string } | undefined,
  { cursor, wanted }: { readonly cursor: string | undefined; readonly wanted: number },
  itemOf: (key: string, text: string) => Item | undefined,
): Promise<Found<Item>> {
  const items: Item[] = [];
  if (!range) return { items, next: undefined };
  const before = lower(range.before, cursor === undefined ? undefined : prefix + cursor);
  let looked = 0;
  for await (const [key, text] of session.draft.each(prefix, { from: range.from, before, reverse: true })) {
    const item = itemOf(key, text);
    const isEnough = item !== undefined && items.push(item) === wanted;
    if (++looked === maxLooked) return { items, next: key.slice(prefix.length) };
    if (isEnough) break;
  }
  return { items, next: undefined };
}

async function events(run: Run, tenantId: string, filter: EventFilter): Promise<Page<WebhookEvent>> {
  checkCursor(filter.cursor, /^[0-9A-Za-z]{22}$/);
  const prefix = `e/${code(tenantId)}/`;
  const range = rangeOf(prefix, filter, filter.id);
  const itemOf = (key: string, text: string) => {
    const { event } = decodeEvent(`evt_${partOf(key, 2)}`, tenantId, text);
    return (filter.type ?? event.type) === event.type && isInRange(event.id, filter) ? event : undefined;
  };
  return pageOf(filter, (cursor, wanted) =>
    run((session) => look(session, prefix, range, { cursor, wanted }, itemOf)),
  );
}

const lower = (one: string, other: string | undefined): string =>
  other === undefined || one < other ? one : other;

/** What reads a row of the log as a delivery, where that fits. */
const selectedDelivery =
  (tenantId: string, { id, ...selection }: DeliverySelection & { readonly id?: string }) =>
  (key: string, text: string): Delivery | undefined => {
    const delivery = deliveryOf(decodeEntry(key, text), tenantId);
    return (id ?? delivery.id) === delivery.id && isSelected(delivery, selection) ? delivery : undefined;
  };

async function deliveries(run: Run, tenantId: string, filter: DeliveryFilter): Promise<Page<Delivery>> {
  checkCursor(filter.cursor, /^[0-9A-Za-z]{32}$/);
  const { id } = filter;
  const named = id === undefined ? undefined : parseDeliveryId(id);
  const prefix = `d/${code(tenantId)}/`;
  const range =
    id === undefined || named ? rangeOf(prefix, filter, named?.eventId ?? filter.eventId) : undefined;
  const itemOf = selectedDelivery(tenantId, filter);
  return pageOf(filter, (cursor, wanted) =>
    run((session) => look(session, prefix, range, { cursor, wanted }, itemOf)),
  );
}

/** Reads all of the selection, some in each transaction: what changes meanwhile is counted as it was or as it is. */
async function counts(
  run: Run,
  tenantId: string,
  selection: DeliverySelection,
  bounds: readonly string[],
): Promise<readonly DeliveryCounts[]> {
  const none = { pending: 0, sending: 0, delivered: 0, dead: 0, cancelled: 0 };
  const all = Array.from({ length: bounds.length + 1 }, () => ({ ...none }));
  const prefix = `d/${code(tenantId)}/`;
  const range = rangeOf(prefix, selection, selection.eventId);
  const itemOf = selectedDelivery(tenantId, selection);
  // The latest come first.
  let stretch = bounds.length;
  let place: string | undefined;
  do {
    const cursor = place;
    const found: Found<Delivery> = await run((session) =>
      look(session, prefix, range, { cursor, wanted: maxLooked }, itemOf),
    );
    for (const { eventId, status } of found.items) {
      while (stretch > 0 && eventId < bounds[stretch - 1]!) stretch--;
      all[stretch]![status]++;
    }
    place = found.next;
    if (place !== undefined) await nextTurn();
  } while (place !== undefined);
  return all;
}

async function attempts(session: Session, tenantId: string, deliveryId: string): Promise<readonly Attempt[]> {
  if (!parseDeliveryId(deliveryId)) return [];
  const found: Attempt[] = [];
  const first = attemptKey(`d/${code(tenantId)}/${bare(deliveryId)}`, 0);
  const prefix = first.slice(0, first.lastIndexOf('/') + 1);
  for await (const [, text] of session.draft.each(prefix)) found.push(decodeAttempt(deliveryId, text));
  return found;
}

function deliveryOf(entry: Entry, tenantId: string): Delivery {
  const { webhookId, channel, eventType, state, createdAt } = entry;
  return {
    id: idOf(entry),
    tenantId,
    eventId: `evt_${eventOf(entry)}`,
    eventType,
    webhookId,
    bindingId: bindingOf(entry),
    channel,
    status: state.status,
    attempts: state.attempts,
    attemptsBeforeRetry: state.attemptsBeforeRetry,
    dueAt: state.status === 'pending' ? new Date(state.at) : null,
    createdAt: new Date(createdAt),
    finishedAt: isFinished(state) ? new Date(state.at) : null,
  };
}
