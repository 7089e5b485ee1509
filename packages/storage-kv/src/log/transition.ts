import { parseDeliveryId } from '@posthorn/core';
import { isFinished, restart } from '@posthorn/core/storage';
import { cancel, leaveOthers } from '../queue/cancel.js';
import { leadOf } from '../queue/digests.js';
import { advance, deliveryKey, move } from '../queue/queue.js';
import type { Entry } from '../rows/entry.js';
import type { Session } from '../session/session.js';
import { code } from '../space/keys.js';

/** Asks for deliveries again, or cancels them; resolves to the ids of those that moved. */
export async function setStatus(
  session: Session,
  tenantId: string,
  deliveryIds: readonly string[],
  status: 'pending' | 'cancelled',
): Promise<readonly string[]> {
  const moved: string[] = [];
  for (const id of deliveryIds) {
    const entry = await find(session, tenantId, id);
    if (!entry) continue;
    if (status === 'cancelled') {
      if (isFinished(entry.state)) continue;
      await cancel(session, entry);
    } else {
      if (entry.state.status === 'sending' || !(await session.webhookOf(entry))) continue;
      await startAnew(session, entry);
    }
    moved.push(id);
  }
  return moved;
}

async function find(session: Session, tenantId: string, deliveryId: string): Promise<Entry | undefined> {
  const named = parseDeliveryId(deliveryId);
  return named && session.entry(deliveryKey(code(tenantId), named.eventId, named.bindingId));
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

/** Makes pending deliveries due at once, and changes nothing else of them; resolves to the ids of those that are due. */
export async function hasten(
  session: Session,
  tenantId: string,
  deliveryIds: readonly string[],
): Promise<readonly string[]> {
  const due: string[] = [];
  for (const id of deliveryIds) {
    const entry = await find(session, tenantId, id);
    if (entry?.state.status !== 'pending' || entry.gathers) continue;
    due.push(id);
    const lead = await leadOf(session, entry);
    if (lead.state.at > session.now) await advance(session, lead, { ...lead.state, at: session.now });
  }
  return due;
}
