import type { SigningSecret, WebhookRecord } from '@posthorn/core';
import { restored } from './texts.js';
import { dateOf, msOf } from './values.js';

/** A row of `webhooks`, as `w`, for {@link recordOf}. */
export const recordColumns = `w.id, w.tenant_id as tenant, w.position::text as position, w.name,
  to_json(w.event_types)::text as types, w.channels, w.secrets, w.is_active::integer as active,
  w.disabled_reason as disabled, w.version,
  ${msOf('w.created_at')} as created, ${msOf('w.updated_at')} as updated`;

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
export function recordOf(row: Record<string, any>): WebhookRecord {
  return {
    id: row.id,
    tenantId: row.tenant,
    name: row.name,
    eventTypes: JSON.parse(row.types),
    channels: JSON.parse(row.channels),
    isActive: Number(row.active) === 1,
    disabledReason: restored(row.disabled),
    version: Number(row.version),
    createdAt: dateOf(row.created),
    updatedAt: dateOf(row.updated),
    secrets: secretsOf(row.secrets),
  };
}

/** Secrets as JSON; instants in milliseconds since 1970. */
export const secretsText = (secrets: readonly SigningSecret[]): string =>
  JSON.stringify(secrets.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt && expiresAt.getTime() })));

const secretsOf = (text: string): SigningSecret[] =>
  (JSON.parse(text) as { key: string; expiresAt: number | null }[]).map(({ key, expiresAt }) => ({
    key,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
  }));

/** Shared where there is no date in them that could be changed: that is before the first rotation. */
export function copiedSecrets(secrets: readonly SigningSecret[]): readonly SigningSecret[] {
  if (secrets.every(({ expiresAt }) => expiresAt === null)) return secrets;
  return secrets.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt && new Date(expiresAt) }));
}

/** Freezes a value of plain objects and arrays, all the way down. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Date) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}
