import { isPosthornError, type Webhook } from '@posthorn/core';
import { refuse } from './refusal.js';

/*
 * Optimistic concurrency as HTTP has it (RFC 9110, 8.8.3 and 13.1.1): a webhook's version is its entity tag.
 */

export const entityTag = (version: number): string => `"${version}"`;

/**
 * The version that a change is to be made to, from `If-Match`; undefined where any will do. Refuses (412) where none of
 * the tags can be the present one.
 */
export async function versionIn(
  headers: Headers,
  present: () => Promise<Webhook>,
): Promise<number | undefined> {
  const given = headers.get('if-match');
  if (given === null) return undefined;
  const tags = given.split(',').map((tag) => tag.trim());
  if (tags.length === 1 && tags[0] !== '*') {
    const version = /^"([1-9]\d{0,9})"$/.exec(tags[0]!)?.[1];
    // A weak tag, or one that was never given out, matches nothing.
    if (version === undefined) throw changed();
    return Number(version);
  }
  const { version } = await present();
  if (tags[0] !== '*' && !tags.includes(entityTag(version))) throw changed();
  return version;
}

/** What `change` answers; 412 where it finds another version than `If-Match` names. */
export async function checkIfMatch<Result>(headers: Headers, change: () => Promise<Result>): Promise<Result> {
  try {
    return await change();
  } catch (error) {
    if (headers.has('if-match') && isPosthornError(error) && error.code === 'conflict') throw changed();
    throw error;
  }
}

const changed = () =>
  refuse(412, 'the webhook has changed since: read it again, and send its ETag as If-Match');
