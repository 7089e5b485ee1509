import { type Issue, isPosthornError, PosthornError } from '../errors.js';
import type { WebhookSecrets } from '../secrets/webhook-secrets.js';
import type { WebhookStore } from '../storage/webhook-store.js';

type Store = Pick<WebhookStore, 'list' | 'get' | 'update'>;

/** Of webhooks that cannot be sealed anew: more are counted, and not named. */
const maxNamed = 1_000;

/**
 * Seals all that is not sealed by the first key, webhook by webhook; resolves to how many were written. What no key
 * opens, or is damaged, is passed over, and makes it reject in the end.
 */
export async function reencrypt(store: Store, secrets: WebhookSecrets): Promise<number> {
  if (!secrets.areSealed) throw new PosthornError('invalid_option', 'reencrypt needs encryption.keys');
  let written = 0;
  let unreadable = 0;
  const issues: Issue[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.list(undefined, { limit: 100, ...(cursor !== undefined && { cursor }) });
    for (const { id, tenantId } of page.items) {
      try {
        if (await reseal(store, secrets, tenantId, id)) written++;
      } catch (error) {
        if (!isPosthornError(error) || !isUnreadable(error)) throw error;
        unreadable++;
        if (issues.length < maxNamed) issues.push({ path: [tenantId, id], message: error.message });
      }
    }
    for (const id of page.unreadable ?? []) {
      unreadable++;
      if (issues.length < maxNamed) issues.push({ path: [id], message: 'what is stored of it is damaged' });
    }
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  if (unreadable === 0) return written;
  const told = `${written} webhooks were encrypted anew, ${unreadable} cannot be: no key opens what they hold, or it is damaged`;
  throw new PosthornError('secret_unreadable', told, { issues });
}

const isUnreadable = ({ code }: PosthornError): boolean =>
  code === 'secret_unreadable' || code === 'webhook_unreadable';

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
