import { PosthornError, type StorageAdapter } from '@posthorn/core';
import {
  type DeliveryStore,
  describeType,
  type NewWebhook,
  parseOptions,
  type WebhookRecord,
} from '@posthorn/core/storage';
import { backfiller } from './backfill.js';
import { deliveryQueue } from './deliveries.js';
import { documentTable } from './documents.js';
import { Journal } from './journal.js';
import { deliveryLog } from './log.js';
import { type MemoryTransaction, openTransactions } from './transactions.js';
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
  /** Whether the storage has `transaction()`, for tests of code that passes `tx`. Default false: `tx` is refused. */
  readonly transactions?: boolean;
}

/** A storage in the memory of this process. Everything is lost when the process exits. */
export interface MemoryStorage<Tx = never> extends StorageAdapter<Tx> {
  /** Webhooks, events and deliveries are lost when the process exits, including pending deliveries. */
  readonly isVolatile: true;
}

/** A memory storage with transactions of its own, which stand in for a database's in tests. */
export interface TransactionalMemoryStorage extends MemoryStorage<MemoryTransaction> {
  /** Begins a transaction. Pass it as `tx`, then commit it or roll it back. */
  transaction(): MemoryTransaction;
}

/**
 * Stores webhooks, events and deliveries in the memory of this process. Everything is lost when the process exits. Use
 * it for tests, demonstrations, and events that may be lost. Throws `invalid_option`.
 */
export function memoryStorage(
  options: MemoryStorageOptions & { readonly transactions: true },
): TransactionalMemoryStorage;
export function memoryStorage(options?: MemoryStorageOptions): MemoryStorage;
export function memoryStorage(
  options: MemoryStorageOptions = {},
): MemoryStorage | TransactionalMemoryStorage {
  const { maxBytes, now, transactions } = settingsOf(options);
  const storage = createStorage(maxBytes, now);
  if (transactions) return storage;
  const { transaction: _, supports, ...rest } = storage;
  return { ...rest, supports: { ...supports, transactions: false } } as StorageAdapter & MemoryStorage;
}

function createStorage(maxBytes: number, now: () => number): TransactionalMemoryStorage {
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
  const { get, list, update, delete: remove, matching, holds } = webhooks;
  const queue = deliveryQueue(journal, webhooks, now);
  const { claim, begin, renew, settle } = queue;
  const backfill = backfiller(journal, queue, matching);
  const transactions = openTransactions(journal, webhooks, queue);

  async function create(
    webhook: NewWebhook,
    { tx }: { readonly tx?: MemoryTransaction } = {},
  ): Promise<WebhookRecord> {
    if (tx !== undefined) return transactions.createWebhook(webhook, tx);
    if (transactions.areOpen) await transactions.webhookFree(webhook);
    return webhooks.create(webhook);
  }

  const publish: DeliveryStore<MemoryTransaction>['publish'] = async (events, options = {}) => {
    const { tx, keyWaitMs } = options;
    if (tx !== undefined) {
      return { published: await transactions.publish(events, tx), claims: [], at: new Date(now()) };
    }
    if (transactions.areOpen) await transactions.eventsFree(events, keyWaitMs);
    return queue.publish(events, options as Parameters<typeof queue.publish>[1]);
  };

  return {
    transaction: transactions.begin,
    supports: { digests: true, documents: true, replays: true, transactions: true },
    isVolatile: true,
    webhooks: { create, get, list, update, delete: remove },
    deliveries: { publish, claim, begin, renew, settle, backfill },
    log: deliveryLog(journal, queue, holds, now),
    documents: documentTable(now),
  };
}

function settingsOf(options: MemoryStorageOptions): Required<MemoryStorageOptions> {
  const known = ['maxBytes', 'now', 'transactions'] as const;
  const {
    maxBytes = 256 * 1024 * 1024,
    now = Date.now,
    transactions = false,
  } = parseOptions(options, known, 'memoryStorage');
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw invalid('maxBytes must be a positive whole number of bytes');
  }
  if (typeof now !== 'function') throw invalid(`now must be a function, not ${describeType(now)}`);
  if (typeof transactions !== 'boolean') {
    throw invalid(`transactions must be a boolean, not ${describeType(transactions)}`);
  }
  return { maxBytes, now, transactions };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
