import { bindingOf, type Entry } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { bare, num, partOf } from '../space/keys.js';

/*
 * Of the deliveries to one binding with one ordering key, the queue holds those that may go: the one that is being sent, or
 * else the first in line and the first of those that yield, unless something before that has come back. The others stand
 * in the chain only, however many there are.
 */

/** What of a chain is in the queue. */
interface Head {
  /** The queue key of the one that is being sent. */
  readonly sending: string | null;
  /** Queue keys. */
  readonly admitted: readonly string[];
}

const chainOf = (entry: Entry): string => `${num(entry.webhook)}/${bare(bindingOf(entry))}/${entry.chain}`;

/** Where it waits: in line, or among those that yield, where the first due comes first. */
const waitingKey = (entry: Entry): string => {
  const { state, place } = entry;
  return state.yields
    ? `y/${chainOf(entry)}/${num(state.at)}/${num(place)}`
    : `k/${chainOf(entry)}/${num(place)}`;
};

/** What was stored of it stands in the chain no more. */
export function unlinkFromChain({ draft }: Session, before: Entry): void {
  draft.delete(waitingKey(before));
}

/** It stands in the chain, where it is not finished, and the queue holds what may go now. */
export async function linkInChain(
  session: Session,
  after: Entry,
  queueKey: string | undefined,
): Promise<void> {
  const { draft } = session;
  if (queueKey !== undefined) draft.set(waitingKey(after), `${num(after.state.at)} ${after.key}`);
  await admit(session, after, queueKey);
}

async function admit(session: Session, changed: Entry, queueKey: string | undefined): Promise<void> {
  const { draft } = session;
  const chain = chainOf(changed);
  const text = await draft.get(`h/${chain}`);
  const head: Head = text === undefined ? { sending: null, admitted: [] } : JSON.parse(text);
  const isSending = queueKey !== undefined && changed.state.status === 'sending';
  const wasSending = head.sending !== null && partOf(head.sending, 3) === num(changed.place);
  const sending = isSending ? queueKey : wasSending ? null : head.sending;
  const admitted = new Map<string, string>();
  if (isSending) admitted.set(queueKey, changed.key);
  else if (sending !== null) admitted.set(sending, (await draft.get(sending))!);
  else for (const [key, value] of await candidates(session, changed.webhook, chain)) admitted.set(key, value);
  for (const key of head.admitted) if (!admitted.has(key)) draft.delete(key);
  for (const [key, value] of admitted) if (!head.admitted.includes(key)) draft.insert(key, value);
  if (admitted.size === 0) draft.delete(`h/${chain}`);
  else draft.set(`h/${chain}`, JSON.stringify({ sending, admitted: [...admitted.keys()] } satisfies Head));
}

/** What may go where nothing is being sent, with its queue key. */
async function candidates(
  { draft }: Session,
  webhook: number,
  chain: string,
): Promise<[queueKey: string, entryKey: string][]> {
  const found: [string, string][] = [];
  const [first] = await draft.under(`k/${chain}/`, { limit: 1 });
  const firstPlace = first && partOf(first[0], 4);
  if (first) {
    const [at, key] = first[1].split(' ') as [string, string];
    found.push([`q/${num(webhook)}/${at}/${firstPlace}`, key]);
  }
  for await (const [waiting, value] of draft.each(`y/${chain}/`)) {
    const [at, place] = [partOf(waiting, 4), partOf(waiting, 5)];
    if (firstPlace !== undefined && place > firstPlace) continue;
    found.push([`q/${num(webhook)}/${at}/${place}`, value.split(' ')[1]!]);
    break;
  }
  return found;
}
