import type { WebhookEvent } from '@posthorn/core';
import type { Claim, ClaimOptions, WebhookRecord } from '@posthorn/core/storage';
import { lease } from '@posthorn/core/storage';
import { bindingOf, type Entry, eventOf, idOf, tenantCodeOf } from '../rows/entry.js';
import { decodeEvent } from '../rows/event-row.js';
import { copiedSecrets } from '../rows/webhook-row.js';
import type { Session } from '../session/session.js';
import { advance } from './queue.js';
import { Turns } from './turns.js';

/** One claim makes this many lanes ready that were asleep, at most; the next goes on. */
const maxWoken = 1_000;

/** Leases what is due, tenant by tenant and webhook by webhook. */
export async function claim(session: Session, options: ClaimOptions): Promise<readonly Claim[]> {
  await session.lanes.wake(maxWoken);
  const turns = new Turns(session, options);
  const claims: Claim[] = [];
  while (claims.length < options.limit) {
    const entry = await turns.next();
    if (!entry) break;
    claims.push(await leaseEntry(session, entry, options));
  }
  await turns.end();
  return claims;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

async function leaseEntry(session: Session, entry: Entry, options: ClaimOptions): Promise<Claim> {
  const { now } = session;
  const token = session.number().toString(36);
  const { isBegun = false, leaseMs } = options;
  const state = lease(entry.state, { token, now, until: now + leaseMs, isBegun });
  await advance(session, entry, state);
  const webhook = (await session.webhookOf(entry))!;
  const { id, tenantId, name, secrets, channels } = webhook;
  const events = await eventsOf(session, entry, webhook);
  const bindingId = bindingOf(entry);
  const claim: Writable<Claim> = {
    deliveryId: idOf(entry),
    token,
    attempt: entry.state.attempts + 1,
    attemptsBeforeRetry: state.attemptsBeforeRetry,
    event: events[0]!,
    webhook: { id, tenantId, name, secrets: copiedSecrets(secrets), channels },
    binding: channels.find((binding) => binding.id === bindingId),
    deferredSince: dateOf(state.deferredSince),
  };
  if (state.checkpoint !== undefined) claim.checkpoint = state.checkpoint;
  if (entry.members) claim.digest = events;
  if (state.begunAt !== null) claim.begunAt = new Date(state.begunAt);
  if (state.uncounted > 0) claim.uncounted = state.uncounted;
  if (state.lostAt !== null) claim.lostAt = new Date(state.lostAt);
  return claim;
}

const dateOf = (at: number | null): Date | null => (at === null ? null : new Date(at));

/** The event of a delivery; of a digest, all of them. */
async function eventsOf(
  session: Session,
  entry: Entry,
  { tenantId }: WebhookRecord,
): Promise<WebhookEvent[]> {
  const events: WebhookEvent[] = [];
  for (const key of entry.members ?? [entry.key]) {
    const event = eventOf({ key });
    const text = await session.draft.get(`e/${tenantCodeOf({ key })}/${event}`);
    events.push(decodeEvent(`evt_${event}`, tenantId, text!).event);
  }
  return events;
}
