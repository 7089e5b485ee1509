import { PosthornError } from '@posthorn/core';
import type { SigningSecret, WebhookRecord } from '@posthorn/core/storage';

/** A webhook as it is kept, with the number that no other has or had. */
export interface StoredWebhook {
  readonly number: number;
  /** Frozen through and through, but for its dates. */
  readonly record: WebhookRecord;
}

export const encodeWebhook = ({ number, record }: StoredWebhook): string =>
  JSON.stringify({ number, ...record });

/** Throws `webhook_unreadable` where the text is damaged. */
export function decodeWebhook(id: string, text: string): StoredWebhook {
  try {
    const { number, createdAt, updatedAt, secrets, ...rest } = JSON.parse(text);
    const record = {
      ...rest,
      secrets: secrets.map(({ key, expiresAt }: { key: string; expiresAt: string | null }) => ({
        key,
        expiresAt: expiresAt === null ? null : new Date(expiresAt),
      })),
      createdAt: new Date(createdAt),
      updatedAt: new Date(updatedAt),
    };
    return { number, record: frozen(record) };
  } catch (cause) {
    throw new PosthornError('webhook_unreadable', `what is stored of webhook ${id} is damaged`, { cause });
  }
}

/** A copy of what could be changed in it: its dates. */
export const copiedWebhook = (record: WebhookRecord): WebhookRecord => ({
  ...record,
  secrets: copiedSecrets(record.secrets),
  createdAt: new Date(record.createdAt),
  updatedAt: new Date(record.updatedAt),
});

/** Shared where there is no date in them that could be changed: that is before the first rotation. */
export function copiedSecrets(secrets: readonly SigningSecret[]): readonly SigningSecret[] {
  if (secrets.every(({ expiresAt }) => expiresAt === null)) return secrets;
  return secrets.map(({ key, expiresAt }) => ({ key, expiresAt: expiresAt && new Date(expiresAt) }));
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}
