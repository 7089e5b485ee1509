import { isPosthornError, type Webhook } from '@posthorn/core';
import type { HeaderReader } from './exchange.js';
import { refuse } from './refusal.js';

/*
 * Optimistic concurrency as HTTP has it (RFC 9110, 8.8.3 and 13.1.1). A webhook's version is its entity tag, with the
 * time it was made: one that was deleted and made again is another.
 */

type Tagged = Pick<Webhook, 'version' | 'createdAt'>;

export const entityTag = ({ version, createdAt }: Tagged): string =>
  `"${version}-${createdAt.getTime().toString(36)}"`;

/**
 * The version that a change is to be made to, from `If-Match`; undefined where any will do. Refuses (412) where none of
 * its tags is that of the present one, `not_found` where there is none. A weak tag matches nothing.
 */
export async function versionIn(
  headers: HeaderReader,
  present: () => Promise<Tagged>,
): Promise<number | undefined> {
  const given = headers.get('if-match');
  if (given === null) return undefined;
  const webhook = await present();
  const tags = given.split(',').map((tag) => tag.trim());
  if (tags.includes(entityTag(webhook)) || given.trim() === '*') return webhook.version;
  throw changed();
}

/** What `change` answers; 412 where it finds another version than `If-Match` names. */
export async function checkIfMatch<Result>(
  headers: HeaderReader,
  change: () => Promise<Result>,
): Promise<Result> {
  try {
    return await change();
  } catch (error) {
    if (headers.has('if-match') && isPosthornError(error) && error.code === 'conflict') throw changed();
    throw error;
  }
}

const changed = () =>
  refuse(412, 'the webhook has changed since: read it again, and send its ETag as If-Match');
