import { createHash } from 'node:crypto';
import { invalid } from './refusal.js';

/*
 * A storage's cursor, and a check that it is used where it was given out: for the same tenant and the same query. It
 * keeps mistakes out, and nobody who means harm: a cursor gives access to nothing.
 */

const form = /^([A-Za-z0-9_-]{1,400})\.([A-Za-z0-9_-]{12})$/;

const checkOf = (cursor: string, scope: readonly unknown[]): string =>
  createHash('sha256')
    .update(JSON.stringify([cursor, ...scope]))
    .digest('base64url')
    .slice(0, 12);

/** What a client gets to see of a storage's cursor; null where there is no further page. */
export function wrapCursor(cursor: string | null, scope: readonly unknown[]): string | null {
  return cursor === null ? null : `${Buffer.from(cursor).toString('base64url')}.${checkOf(cursor, scope)}`;
}

/** The storage's cursor. Refuses what was not given out for this tenant and query (422). */
export function unwrapCursor(text: string | undefined, scope: readonly unknown[]): string | undefined {
  if (text === undefined) return undefined;
  const [, wrapped = '', check] = form.exec(text) ?? [];
  const cursor = Buffer.from(wrapped, 'base64url').toString();
  if (check !== undefined && check === checkOf(cursor, scope)) return cursor;
  throw invalid([
    { loc: ['query', 'cursor'], msg: 'must be a next_cursor of the same query', type: 'value_error' },
  ]);
}
