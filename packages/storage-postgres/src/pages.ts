import { PosthornError } from '@posthorn/core';

const invalid = (): PosthornError =>
  new PosthornError('invalid_option', 'cursor must be one that a page came with');

/** The cursor of a list by position. */
export function positionOf(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  if (!/^\d{1,18}$/.test(cursor)) throw invalid();
  return cursor;
}

/** The cursor of a list by id: the last id that was shown. */
export function idOf(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  if (!/^[a-z]{1,8}_[0-9A-Za-z]{1,64}$/.test(cursor)) throw invalid();
  return cursor;
}
