import { PosthornError } from './errors.js';
import type { PageQuery } from './ports.js';

/** `limit` and `cursor` for a storage. Throws `invalid_option`. */
export function pageQuery({ limit = 50, cursor }: Partial<PageQuery>): PageQuery {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new PosthornError('invalid_option', 'limit must be a whole number from 1 to 1000');
  }
  return { limit, ...(cursor !== undefined && { cursor }) };
}
