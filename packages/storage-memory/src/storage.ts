import { PosthornError, type Storage } from '@posthorn/core';
import { deliveryQueue } from './deliveries.js';
import { Journal } from './journal.js';
import { deliveryLog } from './log.js';
import { webhookTable } from './webhooks.js';

export interface MemoryStorageOptions {
  /**
   * How much heap events, deliveries and attempts may take, in bytes. At the cap finished events are forgotten, the
   * oldest first; when all of it waits to be delivered, `dispatch` rejects with `storage_full`. Default 256 MiB.
   */
  readonly maxBytes?: number;
  /** The clock that decides what is due, in milliseconds since 1970. Default: `Date.now`. Move it in tests. */
  readonly now?: () => number;
}

/** A storage that keeps everything in this process, and loses everything when the process exits. */
export interface MemoryStorage extends Storage<never> {
  /** Webhooks, events and deliveries are gone with the process, also those that nobody received yet. */
  readonly losesEverythingOnExit: true;
}

/**
 * Keeps webhooks, events and deliveries in this process, and loses everything when the process exits. For tests,
 * demonstrations, and events whose loss nobody minds. Throws `invalid_option`.
 */
export function memoryStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  const { maxBytes = 256 * 1024 * 1024, now = Date.now } = options;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw new PosthornError('invalid_option', 'maxBytes must be a whole number of bytes, 1 or more');
  }
  const journal = new Journal(maxBytes, now);
  const webhooks = webhookTable({
    now,
    changed: (webhook) => queue.refresh(webhook),
    deleted(webhook) {
      for (const event of webhook.unfinished > 0 ? journal.events.values() : []) {
        for (const delivery of event.deliveries) {
          if (delivery.webhook === webhook && !delivery.isFinished) queue.cancel(delivery);
        }
      }
    },
  });
  const { matching, holds, ...store } = webhooks;
  const queue = deliveryQueue(journal, matching, now);
  const { publish, claim, renew, settle } = queue;
  return {
    losesEverythingOnExit: true,
    webhooks: store,
    deliveries: { publish, claim, renew, settle },
    log: deliveryLog(journal, queue, holds, now),
  };
}
