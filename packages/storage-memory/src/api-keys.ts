import { type ApiKeyRecord, type ApiKeyStore, PosthornError } from '@posthorn/core';
import { padded, pageOf } from './page.js';

/** A key as it is kept; each change puts another record in its place. */
interface ApiKeyEntry {
  record: ApiKeyRecord;
  readonly order: number;
}

export function apiKeyTable(now: () => number): ApiKeyStore {
  const byId = new Map<string, ApiKeyEntry>();
  const byTenant = new Map<string, ApiKeyEntry[]>();

  const isOver = ({ revokedAt, expiresAt }: ApiKeyRecord): boolean =>
    revokedAt !== null || (expiresAt !== null && expiresAt.getTime() <= now());

  return {
    async create({ id, tenantId, name, mode, scopes, expiresAt, hash }) {
      if (byId.has(id)) throw new PosthornError('conflict', `API key id ${id} is taken`);
      const stamps = { createdAt: new Date(now()), lastUsedAt: null, revokedAt: null };
      const record = structuredClone({ id, tenantId, name, mode, scopes, expiresAt, hash, ...stamps });
      const entry = { record, order: byId.size + 1 };
      byId.set(id, entry);
      const ofTenant = byTenant.get(tenantId);
      if (ofTenant) ofTenant.push(entry);
      else byTenant.set(tenantId, [entry]);
      return structuredClone(record);
    },

    async find(keyId) {
      const record = byId.get(keyId)?.record;
      return record && !isOver(record) ? structuredClone(record) : undefined;
    },

    async list(tenantId, query) {
      return pageOf(
        (byTenant.get(tenantId) ?? []).toReversed(),
        query,
        ({ order }) => padded(order),
        ({ record }) => structuredClone(record),
      );
    },

    async revoke(tenantId, keyId) {
      const entry = byId.get(keyId);
      if (entry?.record.tenantId !== tenantId) return undefined;
      if (entry.record.revokedAt === null) entry.record = { ...entry.record, revokedAt: new Date(now()) };
      return structuredClone(entry.record);
    },

    async touch(keyId) {
      const entry = byId.get(keyId);
      if (entry) entry.record = { ...entry.record, lastUsedAt: new Date(now()) };
    },
  };
}
