import { PosthornError } from '../errors.js';

/** Returns the cursor if it has the form of the storage's own cursors. Throws `invalid_option` otherwise. */
export function checkCursor(cursor: string | undefined, form: RegExp): string | undefined {
  if (cursor !== undefined && !form.test(cursor)) {
    throw new PosthornError('invalid_option', 'invalid cursor: pass the nextCursor of an earlier page');
  }
  return cursor;
}
