import { createHash } from 'node:crypto';
import { invalid } from './refusal.js';

/*
 * Clients get the storage's cursor with a checksum over the tenant and the query, so that a cursor is used only for the
 * query that returned it. The checksum catches mistakes. It is no protection against attacks and needs to be none: a
 * cursor gives access to nothing.
 */

const form = /^([A-Za-z0-9_-]{1,400})\.([A-Za-z0-9_-]{12})$/;

const checkOf = (cursor: string, scope: readonly unknown[]): string =>
  createHash('sha256')
    .update(JSON.stringify([cursor, ...scope]))
    .digest('base64url')
    .slice(0, 12);

/** The storage's cursor as a client gets it; null on the last page. */
export function wrapCursor(cursor: string | null, scope: readonly unknown[]): string | null {
  return cursor === null ? null : `${Buffer.from(cursor).toString('base64url')}.${checkOf(cursor, scope)}`;
}

/** The storage's cursor, from what a client sent. Refuses a cursor of another tenant or query (422). */
export function unwrapCursor(text: string | undefined, scope: readonly unknown[]): string | undefined {
  if (text === undefined) return undefined;
  const [, wrapped = '', check] = form.exec(text) ?? [];
  const cursor = Buffer.from(wrapped, 'base64url').toString();
  if (check !== undefined && check === checkOf(cursor, scope)) return cursor;
  throw invalid([
    { loc: ['query', 'cursor'], msg: 'must be a next_cursor of the same query', type: 'value_error' },
  ]);
}
