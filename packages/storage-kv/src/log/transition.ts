import { type DeliveryLog, isFinished, parseDeliveryId, restart } from '@posthorn/core/storage';
import { cancel, leaveOthers } from '../queue/cancel.js';
import { leadOf } from '../queue/digests.js';
import { advance, deliveryKey, move } from '../queue/queue.js';
import type { Entry } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { code } from '../space/keys.js';

type Target = Parameters<DeliveryLog['transition']>[2];

/** Moves deliveries by hand; resolves to the ids of those that moved. */
export async function transition(
  session: Session,
  tenantId: string,
  deliveryIds: readonly string[],
  to: Target,
): Promise<readonly string[]> {
  const moved: string[] = [];
  for (const id of deliveryIds) {
    const entry = await find(session, tenantId, id);
    if (!entry || !(await mayMove(session, entry, to))) continue;
    if (to === 'cancelled') await cancel(session, entry);
    else if (to === 'pending') await startAnew(session, entry);
    else await hasten(session, entry);
    moved.push(id);
  }
  return moved;
}

async function find(session: Session, tenantId: string, deliveryId: string): Promise<Entry | undefined> {
  const named = parseDeliveryId(deliveryId);
  return named && session.entry(deliveryKey(code(tenantId), named.eventId, named.bindingId));
}

async function mayMove(session: Session, entry: Entry, to: Target): Promise<boolean> {
  if (to === 'cancelled') return !isFinished(entry.state);
  if (to === 'due') return entry.state.status === 'pending' && !entry.gathers;
  return entry.state.status !== 'sending' && (await session.webhookOf(entry)) !== undefined;
}

/** Makes it due at once, with a new schedule; of a digest that waits, all of it. One that gathers goes alone. */
async function startAnew(session: Session, entry: Entry): Promise<void> {
  if (entry.gathers) {
    const alone = await leaveOthers(session, entry);
    await move(session, undefined, { ...alone, state: restart(alone.state, session.now) });
    return;
  }
  const lead = await leadOf(session, entry);
  await advance(session, lead, restart(lead.state, session.now));
}

/** Makes it due at once, and changes nothing else of it; of a digest that waits, all of it. */
async function hasten(session: Session, entry: Entry): Promise<void> {
  const lead = await leadOf(session, entry);
  if (lead.state.at > session.now) await advance(session, lead, { ...lead.state, at: session.now });
}
