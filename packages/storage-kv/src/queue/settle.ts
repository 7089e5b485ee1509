import type { Attempt } from '@posthorn/core';
import type { Claim, Settlement } from '@posthorn/core/storage';
import { beginAttempt, settle } from '@posthorn/core/storage';
import { attemptKey, encodeAttempt } from '../rows/attempt-row.js';
import { type Entry, eventOf, isDigest } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { bare, code } from '../space/keys.js';
import { halve } from './digests.js';
import { beginMissing } from './publish.js';
import { advance } from './queue.js';

/** What the claim's token names, as long as it does. */
async function claimed(
  session: Session,
  { deliveryId, token, event }: Pick<Claim, 'deliveryId' | 'token' | 'event'>,
): Promise<Entry | undefined> {
  const kind = deliveryId.startsWith('dig_') ? 'z' : 'd';
  const entry = await session.entry(`${kind}/${code(event.tenantId)}/${bare(deliveryId)}`);
  return entry?.state.token === token ? entry : undefined;
}

/** Begins the attempts of the claims whose leases are long enough; resolves to those. */
export async function begin(
  session: Session,
  claims: readonly Claim[],
  leftMs: number,
): Promise<readonly Claim[]> {
  const begun: Claim[] = [];
  for (const claim of claims) {
    const entry = await claimed(session, claim);
    if (!entry || entry.state.at <= session.now + leftMs) continue;
    begun.push(claim);
    const state = beginAttempt(entry.state, session.now);
    if (state !== entry.state) await advance(session, entry, state);
  }
  return begun;
}

/** Moves the ends of the leases; resolves to the claims that had one. */
export async function renew(
  session: Session,
  claims: readonly Claim[],
  leaseMs: number,
): Promise<readonly Claim[]> {
  const renewed: Claim[] = [];
  for (const claim of claims) {
    const entry = await claimed(session, claim);
    if (!entry) continue;
    await advance(session, entry, { ...entry.state, at: session.now + leaseMs });
    renewed.push(claim);
  }
  return renewed;
}

/** Writes a result where its token still holds; resolves to whether it did. */
export async function settleOne(
  session: Session,
  { claim, next, attempt, escalateTo: others = [] }: Settlement,
): Promise<boolean> {
  const entry = await claimed(session, claim);
  if (!entry) return false;
  const { tenantId } = claim.event;
  for (const key of entry.members ?? [entry.key]) {
    await escalate(session, entry, { tenantId, id: `evt_${eventOf({ key })}` }, others);
  }
  const recorded = attempt ? await record(session, entry, attempt) : entry;
  const state = settle(entry.state, { next, ...(attempt && { attempt }) }, session.now);
  const halves = next.status === 'split' && isDigest(entry) ? await halve(session, recorded) : [recorded];
  for (const half of halves) await advance(session, half, state);
  return true;
}

async function escalate(
  session: Session,
  entry: Entry,
  event: { readonly tenantId: string; readonly id: string },
  bindingIds: readonly string[],
): Promise<void> {
  if (bindingIds.length === 0) return;
  const record = await session.webhookOf(entry);
  if (!record) return;
  for (const bindingId of bindingIds) {
    await beginMissing(session, { number: entry.webhook, record }, bindingId, event);
  }
}

/** Puts the attempt on record, of a digest for each of its deliveries. */
async function record(session: Session, entry: Entry, attempt: Attempt): Promise<Entry> {
  for (const key of entry.members ?? [entry.key]) {
    const of = entry.members ? (await session.entry(key))! : entry;
    session.draft.insert(attemptKey(key, of.recorded), encodeAttempt(attempt));
    if (entry.members) session.save({ ...of, recorded: of.recorded + 1 });
  }
  return entry.members ? entry : { ...entry, recorded: entry.recorded + 1 };
}
