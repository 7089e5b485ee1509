import { kindOf, PosthornError, type Storage } from '@posthorn/core';
import { backfiller } from './backfill.js';
import { deliveryQueue } from './deliveries.js';
import { documentTable } from './documents.js';
import { Journal } from './journal.js';
import { deliveryLog } from './log.js';
import { webhookTable } from './webhooks.js';

export interface MemoryStorageOptions {
  /**
   * How much heap events, deliveries, attempts and idempotency keys may take, in bytes. At the cap finished events are
   * forgotten, the oldest first; where that would not be enough, `dispatch` rejects with `storage_full`, and attempts
   * are kept without their `message` and `response`. Keys take a quarter of it at most: beyond that the oldest are
   * forgotten, also before their 24 hours are over. Default 256 MiB.
   */
  readonly maxBytes?: number;
  /** The clock that decides what is due, in milliseconds since 1970. Default: `Date.now`. Move it in tests. */
  readonly now?: () => number;
}

/** A storage that keeps everything in this process, and loses everything when the process exits. */
export interface MemoryStorage extends Storage<never> {
  /** Webhooks, events and deliveries are gone with the process, also those that nobody received yet. */
  readonly isVolatile: true;
}

/**
 * Keeps webhooks, events and deliveries in this process, and loses everything when the process exits. For tests,
 * demonstrations, and events whose loss nobody minds. Throws `invalid_option`.
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
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(`options must be an object, not ${kindOf(options)}`);
  }
  const { maxBytes = 256 * 1024 * 1024, now = Date.now, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(`unknown option ${unknown}: use maxBytes, now`);
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw invalid('maxBytes must be a whole number of bytes, 1 or more');
  }
  if (typeof now !== 'function') throw invalid(`now must be a function, not ${kindOf(now)}`);
  return { maxBytes, now };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
