import { isPosthornError, type Webhook } from '@posthorn/core';
import type { HeaderReader } from './exchange.js';
import { refuse } from './refusal.js';

/*
 * Optimistic concurrency control in HTTP (RFC 9110, 8.8.3 and 13.1.1). The entity tag of a webhook is its version and
 * its time of creation: a webhook that was deleted and created again has another tag.
 */

type Tagged = Pick<Webhook, 'version' | 'createdAt'>;

export const entityTag = ({ version, createdAt }: Tagged): string =>
  `"${version}-${createdAt.getTime().toString(36)}"`;

/**
 * Resolves to the version that `If-Match` requires, or to undefined without that header. Refuses (412) if none of its
 * tags is that of the stored webhook, and rejects with `not_found` if there is none. A weak tag matches nothing.
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

/** Resolves to the result of `change`. Refuses (412) if `change` finds another version than `If-Match` names. */
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
  refuse(412, 'the webhook has changed: read it again, and send its new ETag as If-Match');
