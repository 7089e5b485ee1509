import { type Issue, isPosthornError, PosthornError } from '../errors.js';
import type { WebhookSecrets } from '../secrets/webhook-secrets.js';
import { readPages } from '../storage/paginate.js';
import type { WebhookStore } from '../storage/webhook-store.js';

type Store = Pick<WebhookStore, 'list' | 'get' | 'update'>;

const pageSize = 100;
/** The most unreadable webhooks that the error names. More are only counted. */
const maxNamed = 1_000;

/**
 * Encrypts everything that is not encrypted with the first key, webhook by webhook. Resolves to the number of webhooks
 * written. A webhook that is damaged, or that no key decrypts, is skipped, and makes the call reject at the end.
 */
export async function reencrypt(store: Store, secrets: WebhookSecrets): Promise<number> {
  if (!secrets.areEncrypted) throw new PosthornError('invalid_option', 'reencrypt needs encryption.keys');
  let written = 0;
  let unreadable = 0;
  const issues: Issue[] = [];
  for await (const page of readPages((query) => store.list(undefined, query), pageSize)) {
    for (const { id, tenantId } of page.items) {
      try {
        if (await reencryptWebhook(store, secrets, tenantId, id)) written++;
      } catch (error) {
        if (!isPosthornError(error) || !isUnreadable(error)) throw error;
        unreadable++;
        if (issues.length < maxNamed) issues.push({ path: [tenantId, id], message: error.message });
      }
    }
    for (const id of page.unreadable ?? []) {
      unreadable++;
      if (issues.length < maxNamed) issues.push({ path: [id], message: 'its stored record is damaged' });
    }
  }
  if (unreadable === 0) return written;
  const summary = `${written} webhooks were re-encrypted, ${unreadable} were not: no key decrypts them, or they are damaged`;
  throw new PosthornError('secret_unreadable', summary, { issues });
}

const isUnreadable = ({ code }: PosthornError): boolean =>
  code === 'secret_unreadable' || code === 'webhook_unreadable';

/** Resolves to whether there was anything to encrypt. Reads the webhook again if it was changed meanwhile. */
async function reencryptWebhook(
  store: Store,
  secrets: WebhookSecrets,
  tenantId: string,
  webhookId: string,
): Promise<boolean> {
  for (;;) {
    const record = await store.get(tenantId, webhookId);
    const change = record && secrets.reencryptRecord(record);
    if (!change) return false;
    if (await store.update(tenantId, webhookId, record.version, change, { keepUpdatedAt: true })) return true;
  }
}
