import type { NewEvent, PublishResult, WebhookRecord } from '@posthorn/core/storage';
import {
  firstBindings,
  keyRetentionMs,
  newState,
  type RememberedKey,
  repeatedResult,
} from '@posthorn/core/storage';
import type { Entry } from '../rows/entry.js';
import { decodeEvent, encodeEvent, payloadBytes } from '../rows/event-row.js';
import type { StoredWebhook } from '../rows/webhook-row.js';
import type { Session } from '../session/session.js';
import { bare, code, num } from '../space/keys.js';
import { gather } from './digests.js';
import { deliveryKey, finishedKey, move } from './queue.js';

/** Stores the events that are new, with their deliveries; resolves to the first results of all. */
export async function publish(
  session: Session,
  events: readonly NewEvent[],
): Promise<readonly PublishResult[]> {
  const published: PublishResult[] = [];
  let keys = 0;
  for (const event of events) {
    const earlier = await earlierResult(session, event);
    published.push(earlier ?? (await store(session, event)));
    if (!earlier && event.idempotencyKey !== undefined) keys++;
  }
  // More than come go, so that old keys do not pile up.
  if (keys > 0) await forgetKeys(session, 2 * keys);
  return published;
}

const idempotencyKeyOf = ({ tenantId, idempotencyKey }: NewEvent): string =>
  `i/${code(tenantId)}/${code(idempotencyKey!)}`;

const eventKey = (tenantId: string, eventId: string): string => `e/${code(tenantId)}/${bare(eventId)}`;

/** What an earlier call has stored under the event's id or key. Throws `idempotency_conflict`. */
async function earlierResult(session: Session, event: NewEvent): Promise<PublishResult | undefined> {
  const { id, tenantId } = event;
  const stored = await session.draft.get(eventKey(tenantId, id));
  if (stored !== undefined) return { eventId: id, deliveries: decodeEvent(id, tenantId, stored).published };
  if (event.idempotencyKey === undefined) return undefined;
  const text = await session.draft.get(idempotencyKeyOf(event));
  return repeatedResult(
    event,
    text === undefined ? undefined : (JSON.parse(text) as RememberedKey),
    session.now,
  );
}

async function store(session: Session, event: NewEvent): Promise<PublishResult> {
  const { draft, now } = session;
  const tenant = code(event.tenantId);
  const targets = (await session.matching(event.tenantId, event.matchingPatterns)).flatMap((webhook) =>
    firstBindings(webhook.record).map((binding) => ({ webhook, bindingId: binding.id })),
  );
  const published: PublishResult = { eventId: event.id, deliveries: targets.length };
  draft.insert(
    eventKey(event.tenantId, event.id),
    encodeEvent({ event, publishedAt: now, published: targets.length }),
  );
  if (targets.length === 0) draft.insert(finishedKey(now, tenant, bare(event.id)), '');
  else draft.insert(`u/${tenant}/${bare(event.id)}`, String(targets.length));
  const bytes = payloadBytes(event);
  for (const target of targets) await add(session, target, { event, publishedAt: now, bytes });
  if (event.idempotencyKey !== undefined) {
    const remembered: RememberedKey = { fingerprint: event.fingerprint, published, at: now };
    const key = idempotencyKeyOf(event);
    draft.set(key, JSON.stringify(remembered));
    draft.set(`j/${num(now)}/${key.slice(2)}`, '');
  }
  return published;
}

/** A binding that an event goes to. */
interface Target {
  readonly webhook: StoredWebhook;
  readonly bindingId: string;
}

interface StoredEvent {
  readonly event: Pick<NewEvent, 'id' | 'tenantId' | 'type' | 'orderingKey'>;
  readonly publishedAt: number;
  /** Of its payload. */
  readonly bytes: number;
}

async function add(session: Session, { webhook, bindingId }: Target, of: StoredEvent): Promise<void> {
  const { record, number } = webhook;
  const { event, publishedAt, bytes } = of;
  const binding = record.channels.find(({ id }) => id === bindingId)!;
  const isGathered = binding.digest !== undefined;
  const entry: Entry = {
    key: deliveryKey(code(event.tenantId), event.id, bindingId),
    webhookId: record.id,
    webhook: number,
    channel: binding.channel,
    eventType: event.type,
    createdAt: publishedAt,
    place: session.number(),
    state: newState(session.now),
    recorded: 0,
    // What gathers keeps no order.
    chain: isGathered || event.orderingKey === null ? null : code(event.orderingKey),
    gathers: false,
    digest: null,
    members: null,
  };
  if (isGathered) await gather(session, entry, bytes, record);
  else await move(session, undefined, entry);
}

/** Begins the delivery of a stored event to a binding; false where there is one already, or no such binding. */
export async function beginMissing(
  session: Session,
  webhook: StoredWebhook,
  bindingId: string,
  { tenantId, id }: { readonly tenantId: string; readonly id: string },
): Promise<boolean> {
  const { draft } = session;
  const tenant = code(tenantId);
  const text = await draft.get(eventKey(tenantId, id));
  if (text === undefined || !hasBinding(webhook.record, bindingId)) return false;
  if ((await draft.get(deliveryKey(tenant, id, bindingId))) !== undefined) return false;
  const { event, publishedAt } = decodeEvent(id, tenantId, text);
  const unfinished = `u/${tenant}/${bare(id)}`;
  const count = Number((await draft.get(unfinished)) ?? 0);
  if (count === 0) draft.delete(finishedKey(publishedAt, tenant, bare(id)));
  draft.set(unfinished, String(count + 1));
  await add(session, { webhook, bindingId }, { event, publishedAt, bytes: payloadBytes(event) });
  return true;
}

const hasBinding = ({ channels }: WebhookRecord, bindingId: string): boolean =>
  channels.some(({ id }) => id === bindingId);

/** Forgets at most `limit` idempotency keys whose time is over. */
async function forgetKeys({ draft, now }: Session, limit: number): Promise<void> {
  for (const [aged] of await draft.under('j/', { before: `j/${num(now - keyRetentionMs)}`, limit })) {
    draft.delete(aged);
    const [, at, tenant, name] = aged.split('/');
    const key = `i/${tenant}/${name}`;
    const text = await draft.get(key);
    // It may have been used anew since.
    if (text !== undefined && num((JSON.parse(text) as RememberedKey).at) === at) draft.delete(key);
  }
}
