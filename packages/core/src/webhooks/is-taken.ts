import { isPosthornError } from '../errors.js';
import type { WebhookStore } from '../storage/webhook-store.js';

/** Whether a webhook has this id, whichever tenant's it is. A damaged one has its id all the same. */
export async function isTaken(store: Pick<WebhookStore, 'get'>, webhookId: string): Promise<boolean> {
  try {
    return (await store.get(undefined, webhookId)) !== undefined;
  } catch (error) {
    if (isPosthornError(error) && error.code === 'webhook_unreadable') return true;
    throw error;
  }
}
