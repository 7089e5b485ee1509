import { isFinished } from '@posthorn/core/storage';
import { type Entry, eventOf, isDigest, tenantCodeOf } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { bare, num } from '../space/keys.js';
import { linkInChain, unlinkFromChain } from './chains.js';

/** What stands in a webhook's queue: what is not finished, but what gathers or is in a digest. */
const isQueued = (entry: Entry): boolean =>
  !isFinished(entry.state) && !entry.gathers && entry.digest === null;

/** Where it stands in its webhook's queue. */
const queueKey = ({ webhook, state, place }: Pick<Entry, 'webhook' | 'state' | 'place'>): string =>
  `q/${num(webhook)}/${num(state.at)}/${num(place)}`;

/** Saves the entry, and puts it where it belongs. `before` is what was stored of it. */
export async function move(session: Session, before: Entry | undefined, after: Entry): Promise<void> {
  const { draft } = session;
  const wasQueued = before !== undefined && isQueued(before);
  const queued = isQueued(after);
  if (after.chain !== null) {
    if (wasQueued) unlinkFromChain(session, before);
    await linkInChain(session, after, queued ? queueKey(after) : undefined);
  } else {
    if (wasQueued) draft.delete(queueKey(before));
    if (queued) draft.insert(queueKey(after), after.key);
  }
  if (wasQueued || queued) session.lanes.touch(after);
  session.save(after);
}

/** Brings the delivery into another state or, of a digest, all of it. */
export async function advance(session: Session, entry: Entry, state: Entry['state']): Promise<Entry> {
  const after = { ...entry, state };
  if (!isDigest(after)) {
    await countUnfinished(session, entry, after);
    await move(session, entry, after);
    return after;
  }
  const isOver = isFinished(state);
  const { status, at, attempts, attemptsBeforeRetry } = state;
  for (const key of after.members) {
    const member = (await session.entry(key))!;
    const checkpoint = isOver ? state.checkpoint : member.state.checkpoint;
    const next: Entry = {
      ...member,
      state: { ...member.state, status, at, attempts, attemptsBeforeRetry, checkpoint },
      digest: isOver ? null : member.digest,
    };
    await countUnfinished(session, member, next);
    session.save(next);
  }
  await move(session, entry, after);
  if (isOver) session.draft.delete(entry.key);
  return after;
}

/** Keeps count of what is not finished of the event: what has none may be pruned. */
export async function countUnfinished(
  session: Session,
  before: Entry | undefined,
  after: Entry,
): Promise<void> {
  const was = before !== undefined && !isFinished(before.state);
  const is = !isFinished(after.state);
  if (was === is) return;
  const { draft } = session;
  const tenant = tenantCodeOf(after);
  const event = eventOf(after);
  const key = `u/${tenant}/${event}`;
  const count = Number((await draft.get(key)) ?? 0) + (is ? 1 : -1);
  const finished = finishedKey(after.createdAt, tenant, event);
  if (count === 0) {
    draft.delete(key);
    draft.set(finished, '');
  } else {
    draft.set(key, String(count));
    if (is && count === 1) draft.delete(finished);
  }
}

/** Where an event with nothing unfinished stands until it is pruned. */
export const finishedKey = (publishedAt: number, tenant: string, event: string): string =>
  `f/${num(publishedAt)}/${tenant}/${event}`;

/** The key of the delivery of an event to a binding. */
export const deliveryKey = (tenant: string, eventId: string, bindingId: string): string =>
  `d/${tenant}/${bare(eventId)}${bare(bindingId)}`;
