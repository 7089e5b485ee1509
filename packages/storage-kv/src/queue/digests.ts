import type { WebhookRecord } from '@posthorn/core/storage';
import { type DigestLimits, digestLimits, digestSize, isDigestFull, newState } from '@posthorn/core/storage';
import { bindingOf, type Entry } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { bare, num, parseNum, partOf } from '../space/keys.js';
import { move } from './queue.js';

/** What gathers for one binding of a webhook. */
export interface Gathering {
  readonly webhookId: string;
  readonly webhook: number;
  readonly bindingId: string;
}

/** What a gathering comes to, and where the end of its window stands in the queue. */
interface Sum {
  readonly count: number;
  readonly bytes: number;
  readonly queueKey: string | null;
}

const sumKey = ({ webhook, bindingId }: Gathering): string => `b/${num(webhook)}/${bare(bindingId)}`;
const membersPrefix = ({ webhook, bindingId }: Gathering): string => `g/${num(webhook)}/${bare(bindingId)}/`;
const memberKey = (of: Gathering, place: number): string => membersPrefix(of) + num(place);

const gatheringOf = (entry: Entry): Gathering => ({
  webhookId: entry.webhookId,
  webhook: entry.webhook,
  bindingId: bindingOf(entry),
});

/** The gathering that a row of the queue stands for. */
export const namedGathering = (key: string, webhookId: string): Gathering => ({
  webhookId,
  webhook: parseNum(partOf(key, 1)),
  bindingId: `ch_${partOf(key, 2)}`,
});

const limitsIn = (record: WebhookRecord | undefined, { bindingId }: Gathering): DigestLimits | undefined =>
  digestLimits(record?.channels.find(({ id }) => id === bindingId));

async function sumOf({ draft }: Session, of: Gathering): Promise<Sum> {
  const text = await draft.get(sumKey(of));
  return text === undefined ? { count: 0, bytes: 0, queueKey: null } : JSON.parse(text);
}

/** Writes what the gathering comes to now; its window ends so long after its first member came. */
async function resum(
  session: Session,
  of: Gathering,
  former: Sum,
  sum: Omit<Sum, 'queueKey'>,
  windowMs: number,
): Promise<void> {
  const { draft } = session;
  const [first] = await draft.under(membersPrefix(of), { limit: 1 });
  const at = first && num(Number(first[1].split(' ')[1]) + windowMs);
  const queueKey = first ? `q/${num(of.webhook)}/${at}/${partOf(first[0], 3)}` : null;
  if (former.queueKey !== null && former.queueKey !== queueKey) draft.delete(former.queueKey);
  if (queueKey === null) draft.delete(sumKey(of));
  else {
    draft.set(queueKey, sumKey(of));
    draft.set(sumKey(of), JSON.stringify({ ...sum, queueKey } satisfies Sum));
  }
  session.lanes.touch(of);
}

/** Gathers a new delivery until its window is over, or there are enough. */
export async function gather(
  session: Session,
  entry: Entry,
  bytes: number,
  webhook: WebhookRecord,
): Promise<void> {
  const of = gatheringOf(entry);
  const limits = limitsIn(webhook, of)!;
  const state = newState(session.now + limits.windowMs);
  session.save({ ...entry, gathers: true, state });
  session.draft.insert(memberKey(of, entry.place), `${entry.key} ${session.now} ${bytes}`);
  const sum = await sumOf(session, of);
  await resum(session, of, sum, { count: sum.count + 1, bytes: sum.bytes + bytes }, limits.windowMs);
  await formFull(session, of, webhook);
}

async function formFull(session: Session, of: Gathering, webhook: WebhookRecord): Promise<void> {
  const limits = limitsIn(webhook, of)!;
  for (
    let sum = await sumOf(session, of);
    sum.count > 0 && isDigestFull(sum, limits);
    sum = await sumOf(session, of)
  ) {
    await form(session, of, webhook);
  }
}

/** As many of the earliest as fit are a digest from now on. */
export async function form(session: Session, of: Gathering, webhook: WebhookRecord): Promise<Entry> {
  const limits = limitsIn(webhook, of)!;
  const rows = await session.draft.under(membersPrefix(of), { limit: limits.maxEvents });
  const bytesOf = (value: string): number => Number(value.split(' ')[2]);
  const size = digestSize(
    rows.map(([, value]) => bytesOf(value)),
    limits,
  );
  const taken = rows.slice(0, size);
  const members: Entry[] = [];
  for (const [key, value] of taken) {
    session.draft.delete(key);
    members.push({ ...(await session.entry(value.split(' ')[0]!))!, gathers: false });
  }
  const digest = await lead(session, members, newState(Math.min(session.now, members[0]!.state.at)));
  const sum = await sumOf(session, of);
  const bytes = taken.reduce((left, [, value]) => left - bytesOf(value), sum.bytes);
  await resum(session, of, sum, { count: sum.count - size, bytes }, limits.windowMs);
  return digest;
}

/** Makes a digest of deliveries, named by the first. */
async function lead(session: Session, members: readonly Entry[], state: Entry['state']): Promise<Entry> {
  const [first] = members as [Entry];
  const key = `z/${first.key.slice(2)}`;
  for (const member of members) session.save({ ...member, digest: key });
  const digest: Entry = {
    ...first,
    key,
    place: session.number(),
    state,
    recorded: 0,
    chain: null,
    gathers: false,
    digest: null,
    members: members.map((member) => member.key),
  };
  await move(session, undefined, digest);
  return digest;
}

/** The latter half of a digest is one of its own from now on. Resolves to both; to the first where it has one event. */
export async function halve(session: Session, digest: Entry): Promise<readonly Entry[]> {
  const half = Math.ceil(digest.members!.length / 2);
  const latter = digest.members!.slice(half);
  if (latter.length === 0) return [digest];
  const first: Entry = { ...digest, members: digest.members!.slice(0, half) };
  const members: Entry[] = [];
  for (const key of latter) members.push((await session.entry(key))!);
  const { at, attempts, attemptsBeforeRetry, checkpoint } = digest.state;
  const state = { ...newState(at), attempts, attemptsBeforeRetry, checkpoint };
  return [first, await lead(session, members, state)];
}

/** Takes the delivery out of what it gathers in. */
export async function leaveGathering(session: Session, entry: Entry): Promise<Entry> {
  const of = gatheringOf(entry);
  const key = memberKey(of, entry.place);
  const bytes = Number((await session.draft.get(key))!.split(' ')[2]);
  session.draft.delete(key);
  const sum = await sumOf(session, of);
  const limits = limitsIn(await session.webhookOf(entry), of);
  await resum(session, of, sum, { count: sum.count - 1, bytes: sum.bytes - bytes }, limits?.windowMs ?? 0);
  return { ...entry, gathers: false };
}

/** Takes the delivery out of its digest, whose checkpoint it keeps; the others go on. */
export async function leaveDigest(session: Session, entry: Entry): Promise<Entry> {
  const digest = (await session.entry(entry.digest!))!;
  const members = digest.members!.filter((key) => key !== entry.key);
  if (members.length > 0) session.save({ ...digest, members });
  else {
    // Out of the queue: nothing is left of it.
    await move(session, digest, { ...digest, state: { ...digest.state, status: 'cancelled' } });
    session.draft.delete(digest.key);
  }
  return { ...entry, digest: null, state: { ...entry.state, checkpoint: digest.state.checkpoint } };
}

/** The webhook has changed: what gathers for these bindings goes by what it says of them now. */
export async function refreshDigests(
  session: Session,
  lane: Omit<Gathering, 'bindingId'>,
  bindingIds: Iterable<string>,
  webhook: WebhookRecord,
): Promise<void> {
  for (const bindingId of bindingIds) {
    const of = { ...lane, bindingId };
    const sum = await sumOf(session, of);
    if (sum.count === 0) continue;
    const limits = limitsIn(webhook, of);
    // First of all: what goes by itself now may stand in that very place.
    if (sum.queueKey !== null) session.draft.delete(sum.queueKey);
    for await (const [key, value] of session.draft.each(membersPrefix(of))) {
      const [entryKey, since] = value.split(' ') as [string, string];
      const entry = (await session.entry(entryKey))!;
      const at = limits ? Number(since) + limits.windowMs : session.now;
      const next = { ...entry, gathers: limits !== undefined, state: { ...entry.state, at } };
      if (limits) session.save(next);
      else {
        session.draft.delete(key);
        await move(session, entry, next);
      }
    }
    await resum(session, of, { ...sum, queueKey: null }, sum, limits?.windowMs ?? 0);
    if (limits) await formFull(session, of, webhook);
  }
}

/** What stands in the queue for the delivery: its digest, or itself. */
export async function leadOf(session: Session, entry: Entry): Promise<Entry> {
  return entry.digest === null ? entry : (await session.entry(entry.digest))!;
}
