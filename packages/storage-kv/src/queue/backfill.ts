import {
  type Backfilled,
  type BackfillOptions,
  type BackfillSelection,
  firstBindings,
  matchKeys,
} from '@posthorn/core/storage';
import { decodeEvent } from '../rows/event-row.js';
import type { StoredWebhook } from '../rows/webhook-row.js';
import type { Session } from '../session/session.js';
import { endOf } from '../space/draft.js';
import { bare, code, partOf } from '../space/keys.js';
import { beginMissing } from './publish.js';
import { deliveryKey } from './queue.js';

/** It looks at this many events a call. */
const maxEvents = 1_000;

/** Makes the deliveries that stored events would have by the webhooks as they are now, the oldest events first. */
export async function backfill(
  session: Session,
  tenantId: string,
  selection: BackfillSelection,
  { limit, cursor, isDryRun = false }: BackfillOptions,
): Promise<Backfilled> {
  const { eventType, webhookId, fromEventId = '', beforeEventId } = selection;
  const prefix = `e/${code(tenantId)}/`;
  const from = prefix + bare(cursor ?? fromEventId);
  const before = beforeEventId === undefined ? endOf(prefix) : prefix + bare(beforeEventId);
  let [looked, deliveries] = [0, 0];
  for await (const [key, text] of session.draft.each(prefix, { from, before })) {
    const id = `evt_${partOf(key, 2)}`;
    if (looked++ === maxEvents) return { deliveries, cursor: id };
    const { event } = decodeEvent(id, tenantId, text);
    if ((eventType ?? event.type) !== event.type) continue;
    for (const { webhook, bindingId } of await missing(session, event, webhookId)) {
      if (!isDryRun && deliveries === limit) return { deliveries, cursor: id };
      if (isDryRun || (await beginMissing(session, webhook, bindingId, event))) deliveries++;
    }
  }
  return { deliveries, cursor: null };
}

/** The bindings that have no delivery of the event. */
async function missing(
  session: Session,
  { id, tenantId, type }: { readonly id: string; readonly tenantId: string; readonly type: string },
  webhookId: string | undefined,
): Promise<{ readonly webhook: StoredWebhook; readonly bindingId: string }[]> {
  const found: { webhook: StoredWebhook; bindingId: string }[] = [];
  for (const webhook of await session.matching(tenantId, matchKeys(type))) {
    if ((webhookId ?? webhook.record.id) !== webhook.record.id) continue;
    for (const { id: bindingId } of firstBindings(webhook.record)) {
      const stored = await session.draft.get(deliveryKey(code(tenantId), id, bindingId));
      if (stored === undefined) found.push({ webhook, bindingId });
    }
  }
  return found;
}
