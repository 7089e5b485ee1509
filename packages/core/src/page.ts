import { PosthornError } from './errors.js';
import type { PageQuery } from './ports.js';

/** `limit` and `cursor` for a storage. Throws `invalid_option`. */
export function pageQuery(query: Partial<PageQuery>): PageQuery {
  const { limit = 50, cursor }: Partial<PageQuery> = Object.assign(Object.create(null), query);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new PosthornError('invalid_option', 'limit must be a whole number from 1 to 1000');
  }
  return { limit, ...(cursor !== undefined && { cursor }) };
}
