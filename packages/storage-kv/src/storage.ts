import { PosthornError, type StorageAdapter } from '@posthorn/core';
import { describeType, parseOptions } from '@posthorn/core/storage';
import { documentStore } from './documents.js';
import { deliveryLog } from './log/log.js';
import { backfill } from './queue/backfill.js';
import { claim } from './queue/claim.js';
import { publish } from './queue/publish.js';
import { begin, renew, settleOne } from './queue/settle.js';
import { type Run, Session } from './session/session.js';
import { WebhookCache } from './session/webhook-cache.js';
import { Transactions } from './space/transactions.js';
import { checkStore, type KvStore } from './store.js';
import { webhookStore } from './webhooks.js';

/** Options of `kvStorage`. */
export interface KvStorageOptions {
  /**
   * The clock that decides what is due, in milliseconds since 1970. All processes that share the store need the same one:
   * `Date.now`, the default, is that on one machine, or where the clocks of several are kept together.
   */
  readonly now?: () => number;
}

/** A storage over a key-value store. */
export interface KvStorage extends StorageAdapter<never> {
  /** Waits for the calls that are under way, and closes the store. */
  close(): Promise<void>;
}

/**
 * A storage over an ordered key-value store: as durable as the store is, and safe to share between processes where its
 * transactions are. Throws `invalid_option`.
 */
export function kvStorage(store: KvStore, options: KvStorageOptions = {}): KvStorage {
  checkStore(store);
  const { now = Date.now } = parseOptions(options, ['now'], 'kvStorage');
  if (typeof now !== 'function') {
    throw new PosthornError('invalid_option', `now must be a function, not ${describeType(now)}`);
  }
  const transactions = new Transactions(store);
  const cache = new WebhookCache();
  const run: Run = (work) => transactions.run((draft) => Session.run(draft, now(), cache, work));
  return {
    supports: { digests: true, documents: true, replays: true },
    isVolatile: store.isVolatile === true,
    webhooks: webhookStore(run),
    deliveries: {
      publish: (events, { prefetch } = {}) =>
        run(async (session) => {
          const published = await publish(session, events);
          const claims = prefetch ? await claim(session, prefetch) : [];
          return { published, claims, at: new Date(session.now) };
        }),
      claim: (given) => run((session) => claim(session, given)),
      begin: (claims, leftMs) =>
        run(async (session) => ({
          begun: await begin(session, claims, leftMs),
          at: new Date(session.now),
        })),
      renew: (claims, leaseMs) => run((session) => renew(session, claims, leaseMs)),
      settle: (settlements) =>
        run(async (session) => {
          const written: boolean[] = [];
          for (const settlement of settlements) written.push(await settleOne(session, settlement));
          return written;
        }),
      backfill: (tenantId, selection, given) =>
        run((session) => backfill(session, tenantId, selection, given)),
    },
    log: deliveryLog(run),
    documents: documentStore(run),
    async close() {
      await transactions.idle();
      await store.close?.();
    },
  };
}
