import { PosthornError, type StorageAdapter } from '@posthorn/core';
import { describeType, parseOptions } from '@posthorn/core/storage';
import { backfiller } from './backfill.js';
import { deliveryQueue } from './deliveries.js';
import { documentTable } from './documents.js';
import { Journal } from './journal.js';
import { deliveryLog } from './log.js';
import { webhookTable } from './webhooks.js';

/** Options of `memoryStorage`. */
export interface MemoryStorageOptions {
  /**
   * The heap that events, deliveries, attempts and idempotency keys may use, in bytes. At the limit the oldest finished
   * events are deleted. If that does not free enough, `dispatch` rejects with `storage_full`, and attempts are stored
   * without their `message` and `response`. Keys use at most a quarter of it: beyond that the oldest are deleted, even
   * within their 24 hours. Default: 256 MiB.
   */
  readonly maxBytes?: number;
  /** The clock that decides what is due, in milliseconds since 1970. Default: `Date.now`. Replace it in tests. */
  readonly now?: () => number;
}

/** A storage in the memory of this process. Everything is lost when the process exits. */
export interface MemoryStorage extends StorageAdapter<never> {
  /** Webhooks, events and deliveries are lost when the process exits, including pending deliveries. */
  readonly isVolatile: true;
}

/**
 * Stores webhooks, events and deliveries in the memory of this process. Everything is lost when the process exits. Use
 * it for tests, demonstrations, and events that may be lost. Throws `invalid_option`.
 */
export function memoryStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  const { maxBytes, now } = settingsOf(options);
  const journal = new Journal(maxBytes, now);
  const webhooks = webhookTable({
    now,
    changed: (webhook, former) => queue.refresh(webhook, former),
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
  const { publish, claim, begin, renew, settle } = queue;
  const backfill = backfiller(journal, queue, matching);
  return {
    supports: { digests: true, documents: true, replays: true },
    isVolatile: true,
    webhooks: store,
    deliveries: { publish, claim, begin, renew, settle, backfill },
    log: deliveryLog(journal, queue, holds, now),
    documents: documentTable(now),
  };
}

function settingsOf(options: MemoryStorageOptions): Required<MemoryStorageOptions> {
  const known = ['maxBytes', 'now'] as const;
  const { maxBytes = 256 * 1024 * 1024, now = Date.now } = parseOptions(options, known, 'memoryStorage');
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw invalid('maxBytes must be a positive whole number of bytes');
  }
  if (typeof now !== 'function') throw invalid(`now must be a function, not ${describeType(now)}`);
  return { maxBytes, now };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
