import { randomBytes } from 'node:crypto';
import { type Page, PosthornError } from '@posthorn/core';
import type {
  NewWebhook,
  PageQuery,
  WebhookChange,
  WebhookFilter,
  WebhookRecord,
  WebhookStore,
} from '@posthorn/core/storage';
import { checkCursor, isListed } from '@posthorn/core/storage';
import { cancelAll } from './queue/cancel.js';
import { refreshDigests } from './queue/digests.js';
import { copiedWebhook, encodeWebhook, type StoredWebhook } from './rows/webhook-row.js';
import type { Run, Session } from './session/session.js';
import { bare, code, num } from './space/keys.js';

/** Keeps webhooks. */
export function webhookStore(run: Run): WebhookStore {
  return {
    create: (webhook) => run((session) => create(session, webhook)),
    get: (tenantId, webhookId) =>
      run(async (session) => {
        const found = await find(session, tenantId, webhookId);
        return found && copiedWebhook(found.record);
      }),
    list: (tenantId, filter) =>
      run((session) => (tenantId === undefined ? all(session, filter) : list(session, tenantId, filter))),
    update: (tenantId, webhookId, version, change, { keepUpdatedAt = false } = {}) =>
      run(async (session) => {
        const found = await find(session, tenantId, webhookId);
        return found?.record.version === version ? update(session, found, change, keepUpdatedAt) : undefined;
      }),
    delete: (tenantId, webhookId, version) =>
      run(async (session) => {
        const found = await find(session, tenantId, webhookId);
        if (!found || (version ?? found.record.version) !== found.record.version) return false;
        await remove(session, found);
        return true;
      }),
  };
}

const keyOf = (webhookId: string): string => `w/${webhookId}`;
const listKey = (tenantId: string, number: number): string => `x/${code(tenantId)}/${num(number)}`;

async function find(
  session: Session,
  tenantId: string | undefined,
  webhookId: string,
): Promise<StoredWebhook | undefined> {
  const found = await session.webhook(webhookId);
  return found && (tenantId ?? found.record.tenantId) === found.record.tenantId ? found : undefined;
}

async function create(session: Session, webhook: NewWebhook): Promise<WebhookRecord> {
  const { draft, now } = session;
  const { id, tenantId, name, eventTypes, channels, isActive, secrets } = webhook;
  if ((await draft.get(keyOf(id))) !== undefined) {
    throw new PosthornError('conflict', `webhook id ${id} is taken`);
  }
  const at = new Date(now);
  const fields = { id, tenantId, name, eventTypes, channels, isActive, secrets };
  const record = { ...fields, disabledReason: null, version: 1, createdAt: at, updatedAt: at };
  const number = session.number();
  draft.set(listKey(tenantId, number), id);
  return save(session, undefined, { number, record });
}

/** Writes the webhook, and which patterns it holds while it is active. */
async function save(
  session: Session,
  before: StoredWebhook | undefined,
  after: StoredWebhook,
): Promise<WebhookRecord> {
  const { draft } = session;
  draft.set(keyOf(after.record.id), encodeWebhook(after));
  hold(session, before, after);
  // As it is read, not as it was given: what was given may change.
  return copiedWebhook((await session.webhook(after.record.id))!.record);
}

const patternKeys = (webhook: StoredWebhook | undefined): Set<string> => {
  if (!webhook?.record.isActive) return new Set();
  const { number, record } = webhook;
  return new Set(
    record.eventTypes.map((pattern) => `p/${code(record.tenantId)}/${code(pattern)}/${num(number)}`),
  );
};

function hold({ draft }: Session, before: StoredWebhook | undefined, after: StoredWebhook | undefined): void {
  const { id, tenantId } = (after ?? before)!.record;
  const [held, holds] = [patternKeys(before), patternKeys(after)];
  for (const key of held) if (!holds.has(key)) draft.delete(key);
  for (const key of holds) if (!held.has(key)) draft.set(key, id);
  // One that never was before: a transaction that fails may have been read from.
  draft.set(`v/${code(tenantId)}`, randomBytes(9).toString('base64url'));
}

async function update(
  session: Session,
  found: StoredWebhook,
  change: WebhookChange,
  keepUpdatedAt: boolean,
): Promise<WebhookRecord> {
  const { number, record } = found;
  const isSeen = !keepUpdatedAt && Object.keys(change).some((field) => field !== 'secrets');
  const updatedAt = isSeen ? new Date(session.now) : record.updatedAt;
  const changed = { ...record, ...change, version: record.version + 1, updatedAt };
  const after = await save(session, found, { number, record: changed });
  const lane = { webhookId: record.id, webhook: number };
  const bindingIds = new Set([...record.channels, ...after.channels].map(({ id }) => id));
  await refreshDigests(session, lane, bindingIds, after);
  session.lanes.touch(lane);
  return after;
}

async function remove(session: Session, found: StoredWebhook): Promise<void> {
  const { number, record } = found;
  await cancelAll(session, { webhookId: record.id, webhook: number });
  session.draft.delete(keyOf(record.id));
  session.draft.delete(listKey(record.tenantId, number));
  hold(session, found, undefined);
}

/** The last created first. Counting all takes reading all. */
async function list(session: Session, tenantId: string, filter: WebhookFilter): Promise<Page<WebhookRecord>> {
  const { limit, offset = 0, withTotal = false } = filter;
  const cursor = checkCursor(filter.cursor, /^[0-9a-z]{9}$/);
  const prefix = `x/${code(tenantId)}/`;
  const items: WebhookRecord[] = [];
  const unreadable: string[] = [];
  const places: string[] = [];
  let [total, passed, isMore] = [0, 0, false];
  for await (const [key, id] of session.draft.each(prefix, { reverse: true })) {
    const place = key.slice(prefix.length);
    const isBehind = cursor === undefined || place < cursor;
    if (isMore && !withTotal) break;
    if (!isBehind && !withTotal) continue;
    const found = await session.readableWebhook(id);
    if (found && !isListed(found.record, filter)) continue;
    total++;
    if (!isBehind || passed++ < offset) continue;
    if (places.length === limit) isMore = true;
    else {
      places.push(place);
      if (found) items.push(copiedWebhook(found.record));
      else unreadable.push(id);
    }
  }
  return {
    items,
    nextCursor: isMore ? places.at(-1)! : null,
    ...(withTotal && { total }),
    ...(unreadable.length > 0 && { unreadable }),
  };
}

/** By their ids. */
async function all(session: Session, { limit, cursor }: PageQuery): Promise<Page<WebhookRecord>> {
  checkCursor(cursor, /^[0-9A-Za-z]{10}$/);
  const from = cursor === undefined ? 'w/' : `w/wh_${cursor}!`;
  const rows = await session.draft.under('w/', { from, limit: limit + 1 });
  const ids = rows.slice(0, limit).map(([key]) => key.slice(2));
  const found = await Promise.all(ids.map((id) => session.readableWebhook(id)));
  const items = found.flatMap((webhook) => (webhook ? [copiedWebhook(webhook.record)] : []));
  const unreadable = ids.filter((_, i) => !found[i]);
  const nextCursor = rows.length > limit ? bare(ids.at(-1)!) : null;
  return { items, nextCursor, ...(unreadable.length > 0 && { unreadable }) };
}
