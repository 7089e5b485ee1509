import { isPosthornError, PosthornError } from '@posthorn/core';
import type { Claim, WebhookRecord } from '@posthorn/core/storage';
import type { Database, Statement } from '../client/database.js';
import { copiedSecrets, frozen, recordColumns, recordOf } from '../client/webhook-rows.js';

/** A webhook as a claim names it. The stamp identifies the version that was current at the claim. */
export interface WebhookVersion {
  readonly id: string;
  readonly stamp: string;
}

/** The SQL of a row's stamp. It differs after each write, and for a webhook that was deleted and created again. */
export const stampOf = (row: string): string => `${row}.position || '.' || ${row}.version`;

/**
 * The SQL of the version of a tenant's webhooks, which differs after each write of one (0015_webhook_versions.sql).
 */
export const versionOf = (tenant: string): string =>
  `(select coalesce(sum(v.version), 0)::text from $.webhook_versions v where v.tenant_id = ${tenant})`;

/** A webhook as the statement saw it. A stamp of null means that it looked for the webhook and found none. */
export type SeenWebhook = Pick<WebhookVersion, 'id'> & { readonly stamp: string | null };

type Parts = Pick<Claim, 'webhook' | 'binding' | 'unreadable'>;

/** Undefined where the webhook does not exist; an error where its row cannot be read. */
type Found = WebhookRecord | PosthornError | undefined;

const maxRecords = 10_000;

/**
 * The webhooks of claims, by id and stamp. A statement returns the stamp of the current version, and only a version
 * that this process has not cached is read. So nothing stale is used, and secrets and configs are not sent with each
 * claim.
 */
export class WebhookCache {
  readonly #db: Database;
  readonly #records = new Map<string, { readonly record: WebhookRecord; readonly stamp: string }>();
  readonly #select: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#select = db.statement(`
      select ${recordColumns}, ${stampOf('w')} as stamp from $.webhooks w
      where w.id = any (select json_array_elements_text($1::json))`);
  }

  /**
   * Reads what is not cached. The returned `parts` answers for each of `seen`, and throws for any other: a webhook that
   * was not asked for never looks as if it were deleted.
   */
  async read(
    seen: readonly SeenWebhook[],
  ): Promise<{ parts(webhookId: string, tenantId: string, bindingId: string): Parts }> {
    // Cached records are taken now: while the rest is read, other calls may evict them.
    const found = new Map<string, Found>();
    const missing = new Set<string>();
    // Within one call, most are the same object.
    for (const { id, stamp } of new Set(seen)) {
      const known = this.#records.get(id);
      if (stamp !== null && known?.stamp !== stamp) missing.add(id);
      found.set(id, known?.stamp === stamp ? known?.record : undefined);
    }
    if (missing.size > 0) {
      for (const row of await this.#db.run(this.#select, [JSON.stringify([...missing])])) {
        found.set(row.id, this.#keep(row));
      }
    }
    const known = new Map<string, Parts>();
    return {
      parts(id, tenantId, bindingId) {
        let parts = known.get(bindingId);
        if (!parts) {
          if (!found.has(id)) throw new PosthornError('storage_failed', `webhook ${id} was not asked for`);
          parts = partsOf(found.get(id), id, tenantId, bindingId);
          known.set(bindingId, parts);
        }
        return parts;
      },
    };
  }

  /**
   * Caches the record of a row, and evicts the oldest one for it. A damaged row is read again each time, because it may
   * be repaired.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a row as the client read it.
  #keep(row: Record<string, any>): Found {
    let record: WebhookRecord;
    try {
      record = frozen(recordOf(row));
    } catch (error) {
      return error as PosthornError;
    }
    this.#records.delete(record.id);
    if (this.#records.size >= maxRecords) this.#records.delete(this.#records.keys().next().value!);
    this.#records.set(record.id, { record, stamp: row.stamp });
    return record;
  }
}

/** Where the webhook was deleted at the same time, there is nothing to send. */
function partsOf(found: Found, id: string, tenantId: string, bindingId: string): Parts {
  const record = isPosthornError(found) ? undefined : found;
  return {
    webhook: {
      id,
      tenantId,
      name: record?.name ?? '',
      secrets: copiedSecrets(record?.secrets ?? []),
      channels: record?.channels ?? [],
    },
    binding: record?.channels.find((binding) => binding.id === bindingId),
    ...(isPosthornError(found) && { unreadable: found.message }),
  };
}
