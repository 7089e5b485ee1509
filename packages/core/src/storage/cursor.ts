import { PosthornError } from '../errors.js';

/** The cursor where it has the form of those that the storage's pages come with. Throws `invalid_option`. */
export function checkCursor(cursor: string | undefined, form: RegExp): string | undefined {
  if (cursor !== undefined && !form.test(cursor)) {
    throw new PosthornError('invalid_option', 'invalid cursor: pass the nextCursor of an earlier page');
  }
  return cursor;
}
