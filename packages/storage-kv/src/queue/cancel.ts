import { finish, isFinished } from '@posthorn/core/storage';
import { type Entry, isDigest } from '../rows/entry.js';
import type { LaneName } from '../session/lanes.js';
import type { Session } from '../session/session.js';
import { num } from '../space/keys.js';
import { leaveDigest, leaveGathering } from './digests.js';
import { countUnfinished, move } from './queue.js';

/** Ends a delivery that is not finished. */
export async function cancel(session: Session, entry: Entry): Promise<void> {
  const alone = await leaveOthers(session, entry);
  const ended = { ...alone, state: finish(alone.state, 'cancelled', session.now) };
  await countUnfinished(session, entry, ended);
  // What has left others never stood in the queue by itself.
  await move(session, alone === entry ? entry : undefined, ended);
}

/** Takes the delivery out of what it gathers in, or its digest. */
export async function leaveOthers(session: Session, entry: Entry): Promise<Entry> {
  if (entry.gathers) return leaveGathering(session, entry);
  return entry.digest === null ? entry : leaveDigest(session, entry);
}

/** Ends all that is not finished of a webhook, and empties its queue. */
export async function cancelAll(session: Session, lane: LaneName): Promise<void> {
  const { draft } = session;
  const number = num(lane.webhook);
  for (const space of ['q', 'k', 'y', 'g']) {
    for await (const [key, value] of draft.each(`${space}/${number}/`)) {
      draft.delete(key);
      const entryKey = value.split(' ').find((part) => /^[dz]\//.test(part));
      const entry = entryKey === undefined ? undefined : await session.entry(entryKey);
      if (entry) await end(session, entry);
    }
  }
  for (const space of ['h', 'b']) {
    for await (const [key] of draft.each(`${space}/${number}/`)) draft.delete(key);
  }
  session.lanes.touch(lane);
}

/** Writes the rows of what has ended, as its queue goes as a whole. */
async function end(session: Session, entry: Entry): Promise<void> {
  if (isFinished(entry.state)) return;
  const members: Entry[] = [];
  if (isDigest(entry)) {
    session.draft.delete(entry.key);
    for (const key of entry.members) members.push((await session.entry(key))!);
  } else members.push(entry);
  for (const member of members) {
    const checkpoint = isDigest(entry) ? entry.state.checkpoint : member.state.checkpoint;
    const state = finish({ ...member.state, checkpoint }, 'cancelled', session.now);
    const ended = { ...member, state, digest: null, gathers: false };
    await countUnfinished(session, member, ended);
    session.save(ended);
  }
}
