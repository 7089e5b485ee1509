import type { Claim, WebhookRecord } from '@posthorn/core';
import type { Database, Statement } from './database.js';
import { copiedSecrets, frozen, recordColumns, recordOf } from './webhook-rows.js';

/** A webhook as a claim names it: the stamp is of the version that held when it was claimed. */
export interface WebhookVersion {
  readonly id: string;
  readonly stamp: string;
}

/** The SQL of a row's stamp: another for each write, and for a webhook that was deleted and made again. */
export const stampOf = (row: string): string => `${row}.position || '.' || ${row}.version`;

type Parts = Pick<Claim, 'webhook' | 'binding'>;

const maxRecords = 10_000;

/**
 * The webhooks that claims speak of, by id and stamp: a statement says which version holds, and only one that this
 * process has not seen is read. So nothing stale is used, and secrets and configs are not sent with each claim.
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

  /** Reads what is not known yet; `parts` then answers for each. */
  async read(
    wanted: readonly WebhookVersion[],
  ): Promise<{ parts(webhookId: string, tenantId: string, bindingId: string): Parts }> {
    const missing = new Set<string>();
    // Those of one call are mostly the same object, many times.
    const each = new Set(wanted);
    for (const { id, stamp } of each) {
      if (this.#records.get(id)?.stamp !== stamp) missing.add(id);
    }
    if (missing.size > 0) {
      if (this.#records.size + missing.size > maxRecords) this.#records.clear();
      for (const row of await this.#db.run(this.#select, [JSON.stringify([...missing])])) {
        const record = frozen(recordOf(row));
        this.#records.set(record.id, { record, stamp: row.stamp });
      }
    }
    const records = new Map([...each].map(({ id }) => [id, this.#records.get(id)?.record]));
    const known = new Map<string, Parts>();
    return {
      parts(id, tenantId, bindingId) {
        let parts = known.get(bindingId);
        if (!parts) {
          parts = partsOf(records.get(id), id, tenantId, bindingId);
          known.set(bindingId, parts);
        }
        return parts;
      },
    };
  }
}

/** Where the webhook was deleted in the same instant there is nothing to send. */
function partsOf(record: WebhookRecord | undefined, id: string, tenantId: string, bindingId: string): Parts {
  return {
    webhook: {
      id,
      tenantId,
      name: record?.name ?? '',
      secrets: copiedSecrets(record?.secrets ?? []),
      channels: record?.channels ?? [],
    },
    binding: record?.channels.find((binding) => binding.id === bindingId),
  };
}
