import { PosthornError } from './errors.js';
import type { WebhookStore } from './ports.js';
import type { WebhookSecrets } from './webhook-secrets.js';

type Store = Pick<WebhookStore, 'all' | 'get' | 'update'>;

/** Seals all that is not sealed by the first key, webhook by webhook; resolves to how many were written. */
export async function reencrypt(store: Store, secrets: WebhookSecrets): Promise<number> {
  if (!secrets.areSealed) throw new PosthornError('invalid_option', 'reencrypt needs encryption.keys');
  let written = 0;
  for (let cursor: string | undefined; ; ) {
    const page = await store.all({ limit: 100, ...(cursor !== undefined && { cursor }) });
    for (const { id, tenantId } of page.items) if (await reseal(store, secrets, tenantId, id)) written++;
    if (page.nextCursor === null) return written;
    cursor = page.nextCursor;
  }
}

/** Whether there was anything to seal; reads again where somebody else was faster. */
async function reseal(
  store: Store,
  secrets: WebhookSecrets,
  tenantId: string,
  webhookId: string,
): Promise<boolean> {
  for (;;) {
    const record = await store.get(tenantId, webhookId);
    const change = record && secrets.resealed(record);
    if (!change) return false;
    if (await store.update(tenantId, webhookId, record.version, change, { isUpkeep: true })) return true;
  }
}
