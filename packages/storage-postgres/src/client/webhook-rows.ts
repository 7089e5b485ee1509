import { type ChannelBinding, isPosthornError, PosthornError } from '@posthorn/core';
import type { SigningSecret, WebhookRecord } from '@posthorn/core/storage';
import { restored } from './texts.js';
import { dateOf, msOf } from './values.js';

/** The columns of a row of `webhooks`, as `w`, for {@link recordOf}. */
export const recordColumns = `w.id, w.tenant_id as tenant, w.position::text as position, w.name,
  to_json(w.event_types)::text as types, w.channels, w.secrets, w.is_active::integer as active,
  w.disabled_reason as disabled, w.version,
  ${msOf('w.created_at')} as created, ${msOf('w.updated_at')} as updated`;

// biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
type Row = Record<string, any>;

/** Reads a row. Throws `webhook_unreadable`, which names the webhook and the column, where the row is damaged. */
export function recordOf(row: Row): WebhookRecord {
  return {
    id: row.id,
    tenantId: row.tenant,
    name: row.name,
    eventTypes: JSON.parse(row.types),
    channels: columnOf(row, 'channels', bindingsIn),
    isActive: Number(row.active) === 1,
    disabledReason: restored(row.disabled),
    version: Number(row.version),
    createdAt: dateOf(row.created),
    updatedAt: dateOf(row.updated),
    secrets: columnOf(row, 'secrets', secretsIn),
  };
}

/** Returns the records of the rows, and the ids of the damaged ones, if there are any. */
export function recordsOf(rows: readonly Row[]): { items: WebhookRecord[]; unreadable?: string[] } {
  const unreadable: string[] = [];
  const items = rows.flatMap((row) => {
    try {
      return [recordOf(row)];
    } catch (error) {
      if (!isPosthornError(error)) throw error;
      unreadable.push(row.id);
      return [];
    }
  });
  return { items, ...(unreadable.length > 0 && { unreadable }) };
}

function columnOf<Value>(row: Row, column: string, read: (value: unknown) => Value | undefined): Value {
  let value: Value | undefined;
  try {
    value = read(JSON.parse(row[column]));
  } catch {
    // JSON.parse quotes its input, which may be secret. The error below has everything that may be reported.
  }
  if (value !== undefined) return value;
  const message = `column ${column} does not have the form that this version writes`;
  throw new PosthornError(
    'webhook_unreadable',
    `webhook ${row.id} cannot be read: ${message}; repair its row, or delete the webhook`,
    { issues: [{ path: [row.id, column], message }] },
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields that a later version adds to a binding are kept. */
const isBinding = (value: unknown): value is ChannelBinding =>
  isObject(value) &&
  typeof value.id === 'string' &&
  typeof value.channel === 'string' &&
  (value.onlyAfter === undefined || isObject(value.onlyAfter)) &&
  (value.digest === undefined || isObject(value.digest));

const bindingsIn = (value: unknown): ChannelBinding[] | undefined =>
  Array.isArray(value) && value.every(isBinding) ? value : undefined;

/** Formats secrets as JSON, with times in milliseconds since the Unix epoch. */
export const secretsText = (secrets: readonly SigningSecret[]): string =>
  JSON.stringify(secrets.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt && expiresAt.getTime() })));

const isSecret = (value: unknown): value is { key: string; expiresAt: number | null } =>
  isObject(value) &&
  typeof value.key === 'string' &&
  (value.expiresAt === null || Number.isFinite(value.expiresAt));

const secretsIn = (value: unknown): SigningSecret[] | undefined =>
  Array.isArray(value) && value.every(isSecret)
    ? value.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt === null ? null : new Date(expiresAt) }))
    : undefined;

/**
 * Copies secrets. They are shared where they contain no Date that could be changed, which is so before the first
 * rotation.
 */
export function copiedSecrets(secrets: readonly SigningSecret[]): readonly SigningSecret[] {
  if (secrets.every(({ expiresAt }) => expiresAt === null)) return secrets;
  return secrets.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt && new Date(expiresAt) }));
}

/** Freezes plain objects and arrays deeply. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Date) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}
