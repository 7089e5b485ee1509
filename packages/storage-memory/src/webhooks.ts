import { type Page, PosthornError } from '@posthorn/core';
import { isListed, type NewWebhook, type WebhookRecord, type WebhookStore } from '@posthorn/core/storage';
import { WebhookEntry } from './entries.js';
import { frozen } from './frozen.js';
import { padded, pageOf } from './page.js';

/** The webhooks of one tenant, and which of the active ones hold a pattern. */
interface Tenant {
  readonly byId: Map<string, WebhookEntry>;
  readonly byPattern: Map<string, WebhookEntry[]>;
}

/** What publishing needs to know of webhooks, besides the port. */
export interface WebhookTable extends WebhookStore {
  /** Makes an entry that is not in the table yet. Throws `conflict` where it or `others` have the id. */
  prepare(webhook: NewWebhook, others?: readonly WebhookEntry[]): WebhookEntry;
  add(entry: WebhookEntry): void;
  handOut(entry: WebhookEntry): WebhookRecord;
  /** Each active webhook of the tenant that holds one of `keys`, once. Costs what it finds, not what there is or is paused. */
  matching(tenantId: string, keys: readonly string[]): WebhookEntry[];
  /** Whether it is still there; another may have taken its id since. */
  holds(webhook: WebhookEntry): boolean;
}

export interface WebhookHooks {
  readonly now: () => number;
  readonly changed: (webhook: WebhookEntry, former: WebhookRecord) => void;
  readonly deleted: (webhook: WebhookEntry) => void;
}

export function webhookTable(hooks: WebhookHooks): WebhookTable {
  const tenants = new Map<string, Tenant>();
  /** Those of all tenants. */
  const ofAll = new Map<string, WebhookEntry>();
  let order = 0;
  let call = 0;

  const find = (tenantId: string, webhookId: string): WebhookEntry | undefined =>
    tenants.get(tenantId)?.byId.get(webhookId);

  function tenantOf(tenantId: string): Tenant {
    const tenant = tenants.get(tenantId) ?? { byId: new Map(), byPattern: new Map() };
    tenants.set(tenantId, tenant);
    return tenant;
  }

  const patternsOf = ({ record }: WebhookEntry): Iterable<string> =>
    record.isActive ? new Set(record.eventTypes) : [];

  function addToIndex({ byPattern }: Tenant, entry: WebhookEntry): void {
    for (const pattern of patternsOf(entry)) {
      const holders = byPattern.get(pattern);
      if (holders) holders.push(entry);
      else byPattern.set(pattern, [entry]);
    }
  }

  function removeFromIndex({ byPattern }: Tenant, entry: WebhookEntry): void {
    for (const pattern of patternsOf(entry)) {
      const holders = byPattern.get(pattern)!;
      if (holders.length === 1) byPattern.delete(pattern);
      else holders.splice(holders.indexOf(entry), 1);
    }
  }

  function prepare(webhook: NewWebhook, others: readonly WebhookEntry[] = []): WebhookEntry {
    const taken = new PosthornError('conflict', `webhook id ${webhook.id} is taken`);
    if (others.some(({ record }) => record.id === webhook.id)) throw taken;
    if (ofAll.has(webhook.id)) throw taken;
    const now = new Date(hooks.now());
    return new WebhookEntry(
      stored({ ...webhook, disabledReason: null }, { version: 1, createdAt: now, updatedAt: now }),
      ++order,
    );
  }

  function add(entry: WebhookEntry): void {
    const { id, tenantId } = entry.record;
    const tenant = tenantOf(tenantId);
    ofAll.set(id, entry);
    tenant.byId.set(id, entry);
    addToIndex(tenant, entry);
  }

  return {
    holds: (webhook) => find(webhook.record.tenantId, webhook.record.id) === webhook,

    prepare,
    add,
    handOut: ({ record }) => handedOut(record),

    async create(webhook) {
      const entry = prepare(webhook);
      add(entry);
      return handedOut(entry.record);
    },

    async get(tenantId, webhookId) {
      const entry = tenantId === undefined ? ofAll.get(webhookId) : find(tenantId, webhookId);
      return entry && handedOut(entry.record);
    },

    async list(tenantId, filter): Promise<Page<WebhookRecord>> {
      const own = tenantId === undefined ? ofAll : tenants.get(tenantId)?.byId;
      const all = [...(own?.values() ?? [])].reverse();
      const fitting = all.filter(({ record }) => isListed(record, filter));
      const page = pageOf(fitting, filter, placeOf, (entry) => handedOut(entry.record));
      return filter.withTotal ? { ...page, total: fitting.length } : page;
    },

    async update(tenantId, webhookId, version, change, { keepUpdatedAt = false } = {}) {
      const entry = find(tenantId, webhookId);
      if (!entry || entry.record.version !== version) return undefined;
      const tenant = tenantOf(tenantId);
      const former = entry.record;
      const { createdAt, updatedAt } = former;
      const isSeen = !keepUpdatedAt && Object.keys(change).some((field) => field !== 'secrets');
      removeFromIndex(tenant, entry);
      entry.record = stored(
        { ...former, ...change },
        { version: version + 1, createdAt, updatedAt: isSeen ? new Date(hooks.now()) : updatedAt },
      );
      addToIndex(tenant, entry);
      hooks.changed(entry, former);
      return handedOut(entry.record);
    },

    async delete(tenantId, webhookId, version) {
      const entry = find(tenantId, webhookId);
      if (!entry || (version ?? entry.record.version) !== entry.record.version) return false;
      const tenant = tenantOf(tenantId);
      removeFromIndex(tenant, entry);
      tenant.byId.delete(webhookId);
      if (tenant.byId.size === 0) tenants.delete(tenantId);
      ofAll.delete(webhookId);
      hooks.deleted(entry);
      return true;
    },

    matching(tenantId, keys) {
      const matched: WebhookEntry[] = [];
      const byPattern = tenants.get(tenantId)?.byPattern;
      if (!byPattern) return matched;
      call++;
      for (const key of keys) {
        for (const entry of byPattern.get(key) ?? []) {
          if (entry.matchedIn === call) continue;
          entry.matchedIn = call;
          matched.push(entry);
        }
      }
      return matched;
    },
  };
}

const placeOf = ({ order }: WebhookEntry): string => padded(order);

type Stamps = Pick<WebhookRecord, 'version' | 'createdAt' | 'updatedAt'>;

/** A copy of its own, whatever the caller does with the original. */
function stored(
  {
    id,
    tenantId,
    name,
    eventTypes,
    channels,
    isActive,
    disabledReason,
    secrets,
  }: Omit<WebhookRecord, keyof Stamps>,
  stamps: Stamps,
): WebhookRecord {
  const fields = { id, tenantId, name, eventTypes, channels, isActive, disabledReason, secrets };
  return frozen(structuredClone({ ...fields, ...stamps }));
}

/** Frozen through and through but for its dates: those are copied. */
function handedOut(record: WebhookRecord): WebhookRecord {
  return {
    ...record,
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
    secrets: copiedSecrets(record.secrets),
  };
}

/** Shared where there is no date in them that could be changed: that is before the first rotation. */
export function copiedSecrets(secrets: WebhookRecord['secrets']): WebhookRecord['secrets'] {
  if (secrets.every(({ expiresAt }) => expiresAt === null)) return secrets;
  return secrets.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt && new Date(expiresAt) }));
}
