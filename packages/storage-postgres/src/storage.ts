import { PosthornError, type StorageAdapter } from '@posthorn/core';
import { describeType, maxTimerMs, parseOptions } from '@posthorn/core/storage';
import { Database } from './client/database.js';
import type { Pool, Transaction } from './client/queryable.js';
import { documentStore } from './documents.js';
import { deliveryLog } from './log/log.js';
import { backfiller } from './queue/backfill.js';
import { beginner } from './queue/begin.js';
import { Claimer } from './queue/claim.js';
import { Digests } from './queue/digests.js';
import { Publisher } from './queue/publish.js';
import type { ReadyWebhook } from './queue/ready-webhooks.js';
import { Settler } from './queue/settle.js';
import { WebhookCache } from './queue/webhook-cache.js';
import { migrate } from './schema/migrate.js';
import { type PartitionChanges, type PartitionOptions, partitioner } from './schema/partitions.js';
import { webhookStore } from './webhooks.js';

/** Options of `postgresStorage`. */
export interface PostgresStorageOptions {
  /** The schema that holds the tables, made by `migrate`: letters, digits and `_`, at most 63. Default `posthorn`. */
  readonly schema?: string;
  /**
   * Whether statements are prepared under names, once a connection. Default: true with a `pg` pool, until a pooler
   * between says that it knows no prepared statements. Other clients decide for themselves.
   */
  readonly prepare?: boolean;
  /**
   * With a `pg` pool, how long to wait for a connection, and then for a statement before it is cancelled on the server, in
   * milliseconds: 1 to 2,147,483,647. Default 30,000.
   */
  readonly timeoutMs?: number;
  /** For tests: how many milliseconds the storage's clock is ahead of the database's. */
  readonly clockOffset?: () => number;
}

/** A storage in Postgres: durable, and shared by as many processes as there are. */
export interface PostgresStorage extends StorageAdapter<Transaction> {
  /**
   * Makes the tables, or brings them to this version; does nothing where they are. Call it when the application
   * starts, or when it is deployed: several at once wait for each other. Rejects with `storage_failed`.
   */
  migrate(): Promise<void>;
  /**
   * Divides events, deliveries and attempts by time from now on, and drops what is old: call it once a day. Without it
   * everything lies in one partition each, and retention deletes rows. Rejects with `invalid_option`, `storage_failed`.
   */
  partition(options: PartitionOptions): Promise<PartitionChanges>;
}

/**
 * Keeps webhooks, events and deliveries in Postgres 13 or later. `pool` is a `pg` Pool, PGlite, or whatever else has
 * `query(text, values)`; no transaction and no connection is held between statements. Throws `invalid_option`.
 */
export function postgresStorage(pool: Pool, options: PostgresStorageOptions = {}): PostgresStorage {
  const { schema, ...settings } = settingsOf(pool, options);
  const db = new Database(pool, { schema, ...settings });
  const webhooks = new WebhookCache(db);
  const digests = new Digests(db);
  const claimer = new Claimer(db, webhooks, digests);
  const expect = (lanes: Iterable<ReadyWebhook>) => claimer.expect(lanes);
  const publisher = new Publisher(db, webhooks, expect);
  const settler = new Settler(db, expect);
  return {
    supports: { digests: true, documents: true, replays: true, transactions: true },
    webhooks: webhookStore(db),
    deliveries: {
      publish: (events, options) => publisher.publish(events, options),
      claim: (options) => claimer.claim(options),
      begin: beginner(db),
      renew: (claims, leaseMs) => settler.renew(claims, leaseMs),
      settle: (settlements) => settler.settle(settlements),
      backfill: backfiller(db),
    },
    log: deliveryLog(db),
    documents: documentStore(db),
    migrate: () => migrate(db, schema),
    partition: partitioner(db, schema),
  };
}

function settingsOf(pool: Pool, options: PostgresStorageOptions) {
  if (typeof pool?.query !== 'function') {
    throw invalid(
      `pool must have query(text, values), as a pg Pool or PGlite has, not ${describeType(pool)}`,
    );
  }
  const given = parseOptions(options, ['schema', 'prepare', 'timeoutMs', 'clockOffset'], 'postgresStorage');
  const { schema = 'posthorn', prepare = true, timeoutMs = 30_000, clockOffset } = given;
  // It stands in statements as it is: what could end a quoted name is not let in.
  if (typeof schema !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(schema)) {
    throw invalid('schema must be 1 to 63 letters, digits and _, and not begin with a digit');
  }
  if (/^pg_/i.test(schema)) throw invalid('schema must not begin with pg_, which is for Postgres itself');
  if (typeof prepare !== 'boolean') throw invalid(`prepare must be a boolean, not ${describeType(prepare)}`);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > maxTimerMs) {
    throw invalid(`timeoutMs must be a whole number of milliseconds, 1 to ${maxTimerMs}`);
  }
  if (clockOffset !== undefined && typeof clockOffset !== 'function') {
    throw invalid(`clockOffset must be a function, not ${describeType(clockOffset)}`);
  }
  return { schema, prepare, timeoutMs, clockOffset };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
