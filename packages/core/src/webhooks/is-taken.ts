import { isPosthornError } from '../errors.js';
import type { WebhookStore } from '../storage/webhook-store.js';

/** Whether any tenant has a webhook with this id. A damaged webhook keeps its id. */
export async function isTaken(store: Pick<WebhookStore, 'get'>, webhookId: string): Promise<boolean> {
  try {
    return (await store.get(undefined, webhookId)) !== undefined;
  } catch (error) {
    if (isPosthornError(error) && error.code === 'webhook_unreadable') return true;
    throw error;
  }
}
