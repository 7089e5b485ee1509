import {
  type Attempt,
  type Delivery,
  type DeliveryCounts,
  type DeliveryFilter,
  type DeliveryLog,
  type DeliverySelection,
  type Event,
  type EventFilter,
  type EventRange,
  type Page,
  parseDeliveryId,
} from '@posthorn/core';
import { checkCursor, isFinished, isInRange, isSelected } from '@posthorn/core/storage';
import { attemptKey, decodeAttempt } from '../rows/attempt-row.js';
import { bindingOf, decodeEntry, type Entry, eventOf, idOf } from '../rows/entry.js';
import { decodeEvent } from '../rows/event-row.js';
import type { Run, Session } from '../session/session.js';
import { endOf } from '../space/draft.js';
import { bare, code, partOf } from '../space/keys.js';
import { prune } from './prune.js';
import { setStatus } from './set-status.js';

/** What happened. What is filtered by more than a time, an event or an id is looked for among all in that time. */
export function deliveryLog(run: Run): DeliveryLog {
  return {
    events: (tenantId, filter) => run((session) => events(session, tenantId, filter)),
    deliveries: (tenantId, filter) => run((session) => deliveries(session, tenantId, filter)),
    counts: (tenantId, selection, bounds) => run((session) => counts(session, tenantId, selection, bounds)),
    attempts: (tenantId, deliveryId) => run((session) => attempts(session, tenantId, deliveryId)),
    setStatus: (tenantId, ids, status) => run((session) => setStatus(session, tenantId, ids, status)),
    prune: (options) => run((session) => prune(session, options)),
  };
}

const isEventId = (id: string): boolean => /^evt_[0-9A-Za-z]{22}$/.test(id);

/** Which keys under `prefix` belong to events in the range, or to the event; undefined where none can. */
function bounds(
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

async function events(session: Session, tenantId: string, filter: EventFilter): Promise<Page<Event>> {
  const { type, limit } = filter;
  const cursor = checkCursor(filter.cursor, /^[0-9A-Za-z]{22}$/);
  const prefix = `e/${code(tenantId)}/`;
  const range = bounds(prefix, filter, filter.id);
  const items: Event[] = [];
  const from = range?.from ?? '';
  const before = lower(range?.before ?? '', cursor === undefined ? undefined : prefix + cursor);
  for await (const [key, text] of session.draft.each(prefix, { from, before, reverse: true })) {
    const { event } = decodeEvent(`evt_${partOf(key, 2)}`, tenantId, text);
    if ((type ?? event.type) !== event.type || !isInRange(event.id, filter)) continue;
    if (items.length === limit) return { items, nextCursor: bare(items.at(-1)!.id) };
    items.push(event);
  }
  return { items, nextCursor: null };
}

const lower = (one: string, other: string | undefined): string =>
  other === undefined || one < other ? one : other;

/** The deliveries that fit, the latest first, behind a place in the log. */
async function* selected(
  session: Session,
  tenantId: string,
  selection: DeliverySelection,
  cursor?: string,
): AsyncGenerator<Entry> {
  const prefix = `d/${code(tenantId)}/`;
  const range = bounds(prefix, selection, selection.eventId);
  if (!range) return;
  const before = lower(range.before, cursor === undefined ? undefined : prefix + cursor);
  for await (const [key, text] of session.draft.each(prefix, { from: range.from, before, reverse: true })) {
    const entry = decodeEntry(key, text);
    const { webhookId, eventType } = entry;
    const eventId = `evt_${eventOf(entry)}`;
    if (isSelected({ eventId, eventType, webhookId, status: entry.state.status }, selection)) yield entry;
  }
}

async function deliveries(
  session: Session,
  tenantId: string,
  filter: DeliveryFilter,
): Promise<Page<Delivery>> {
  const { id, limit } = filter;
  const cursor = checkCursor(filter.cursor, /^[0-9A-Za-z]{32}$/);
  const named = id === undefined ? undefined : parseDeliveryId(id);
  if (id !== undefined && (!named || (filter.eventId ?? named.eventId) !== named.eventId)) {
    return { items: [], nextCursor: null };
  }
  const selection = named ? { ...filter, eventId: named.eventId } : filter;
  const items: Delivery[] = [];
  for await (const entry of selected(session, tenantId, selection, cursor)) {
    const delivery = deliveryOf(entry, tenantId);
    if ((id ?? delivery.id) !== delivery.id) continue;
    if (items.length === limit) return { items, nextCursor: bare(items.at(-1)!.id) };
    items.push(delivery);
  }
  return { items, nextCursor: null };
}

async function counts(
  session: Session,
  tenantId: string,
  selection: DeliverySelection,
  bounds: readonly string[],
): Promise<readonly DeliveryCounts[]> {
  const all = Array.from({ length: bounds.length + 1 }, () => ({
    pending: 0,
    sending: 0,
    delivered: 0,
    dead: 0,
    cancelled: 0,
  }));
  // The latest come first.
  let stretch = bounds.length;
  for await (const entry of selected(session, tenantId, selection)) {
    const eventId = `evt_${eventOf(entry)}`;
    while (stretch > 0 && eventId < bounds[stretch - 1]!) stretch--;
    all[stretch]![entry.state.status]++;
  }
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
    attemptsBefore: state.attemptsBefore,
    dueAt: state.status === 'pending' ? new Date(state.at) : null,
    createdAt: new Date(createdAt),
    finishedAt: isFinished(state) ? new Date(state.at) : null,
  };
}
