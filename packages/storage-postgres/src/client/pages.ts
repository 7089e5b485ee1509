import { checkCursor, type EventRange, parseDeliveryId } from '@posthorn/core/storage';

/** Parses the cursor of a list by position. */
export const positionOf = (cursor: string | undefined): string | undefined =>
  checkCursor(cursor, /^\d{1,18}$/);

/** Parses the cursor of a list of events: the last event id of the page. */
export const eventCursor = (cursor: string | undefined): string | undefined =>
  checkCursor(cursor, /^evt_[0-9A-Za-z]{1,64}$/);

/** Parses the cursor of a list of deliveries: the last delivery of the page. */
export function deliveryCursor(cursor: string | undefined): ReturnType<typeof parseDeliveryId> {
  const last = checkCursor(cursor, /^dlv_[0-9A-Za-z]{32}$/);
  return last === undefined ? undefined : parseDeliveryId(last);
}

/** The event ids from `from`, inclusive, to `before`, exclusive. A single id is a range, too. */
export interface IdRange {
  readonly from: string;
  readonly before: string;
}

/** Returns a text that sorts after this event id and before every later one. All ids have the same length. */
export const justAfter = (eventId: string): string => `${eventId}0`;

/** Returns the part of `range` that is `eventId`, where that is given, and before `end`, where that is given. */
export function idRange(
  { fromEventId, beforeEventId }: EventRange,
  eventId: string | undefined,
  end: string | undefined,
): IdRange {
  const given = (ids: readonly (string | undefined)[]) => ids.filter((id) => id !== undefined).sort();
  const ends = [beforeEventId, end, eventId === undefined ? undefined : justAfter(eventId)];
  return { from: given([fromEventId, eventId]).at(-1) ?? '', before: given(ends)[0] ?? 'evt_~' };
}
