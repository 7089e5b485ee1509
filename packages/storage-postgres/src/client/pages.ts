import { type EventRange, PosthornError, parseDeliveryId } from '@posthorn/core';

const invalid = (): PosthornError =>
  new PosthornError('invalid_option', 'cursor must be one that a page came with');

/** The cursor of a list by position. */
export function positionOf(cursor: string | undefined): string | undefined {
  if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) throw invalid();
  return cursor;
}

/** The cursor of a list of events: the last id that was shown. */
export function eventCursor(cursor: string | undefined): string | undefined {
  if (cursor !== undefined && !/^evt_[0-9A-Za-z]{1,64}$/.test(cursor)) throw invalid();
  return cursor;
}

/** The cursor of a list of deliveries: the last one that was shown. */
export function deliveryCursor(cursor: string | undefined): ReturnType<typeof parseDeliveryId> {
  const last = cursor === undefined ? undefined : parseDeliveryId(cursor);
  if (cursor !== undefined && !last) throw invalid();
  return last;
}

/** Event ids from `from` on, and before `before`. A single one is a range, too. */
export interface IdRange {
  readonly from: string;
  readonly before: string;
}

/** Sorts after the event's id, and before every other that does: all ids are of one length. */
export const justAfter = (eventId: string): string => `${eventId}0`;

/** What lies in `range`, is `eventId` where that is given, and comes before `end` where that is. */
export function idRange(
  { fromEventId, beforeEventId }: EventRange,
  eventId: string | undefined,
  end: string | undefined,
): IdRange {
  const given = (ids: readonly (string | undefined)[]) => ids.filter((id) => id !== undefined).sort();
  const ends = [beforeEventId, end, eventId === undefined ? undefined : justAfter(eventId)];
  return { from: given([fromEventId, eventId]).at(-1) ?? '', before: given(ends)[0] ?? 'evt_~' };
}
