import { randomBytes } from 'node:crypto';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';
import { type Competitor, concurrency, type Job, type Place } from './competitor.js';

/**
 * The kinds of work:
 *
 * - `plain`: events to one webhook
 * - `large`: events of 10 KB
 * - `tenants`: events to one of 200 webhooks of each of five tenants, in turn
 * - `fan-out`: each event to 1,000 webhooks
 * - `ordering`: each event has one of 100 ordering keys
 * - `encryption`: secrets are encrypted
 * - `second`: as `plain`, next to a first process that has created the tables and the webhook
 */
export const variants = ['plain', 'large', 'tenants', 'fan-out', 'ordering', 'encryption', 'second'] as const;
export type Variant = (typeof variants)[number];

export interface PosthornOptions {
  readonly variant?: Variant;
  /** The limit for one webhook. Default: none. */
  readonly webhookConcurrency?: number;
}

/** Posthorn, with everything that it does. */
export async function posthorn(
  { postgres, origin }: Place,
  { variant = 'plain', webhookConcurrency = concurrency }: PosthornOptions = {},
): Promise<Competitor> {
  const pool = new pg.Pool({ connectionString: postgres, max: 10 });
  const isFirst = variant !== 'second';
  if (isFirst) await pool.query('drop schema if exists posthorn cascade');
  const storage = postgresStorage(pool);
  if (isFirst) await storage.migrate();
  const key = { id: 'bench', key: randomBytes(32) };
  const dispatcher = createDispatcher({
    storage,
    channels: [
      httpChannel({
        outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] }, connections: concurrency },
      }),
    ],
    concurrency,
    webhookConcurrency,
    ...(variant === 'encryption' && { encryption: { keys: [key] } }),
  });
  dispatcher.on('error', (error) => console.error(error.message, error.cause));

  const create = (path: string, type: string, tenantId?: string) =>
    dispatcher.webhooks.create({
      name: type,
      eventTypes: [type],
      channels: [{ channel: 'webhook', configs: { url: `${origin}${path}` } }],
      ...(tenantId !== undefined && { tenantId }),
    });
  if (variant === 'tenants') {
    for (let n = 0; n < 1_000; n++) await create('/', `object.${n % 200}`, `tenant${Math.floor(n / 200)}`);
  } else if (isFirst) {
    const receivers = variant === 'fan-out' ? 1_000 : 1;
    for (let n = 0; n < receivers; n++) await create('/', typeOf('/'));
    await create('/slow', typeOf('/slow'));
  }

  let published = 0;
  function publish(job: Job): Promise<unknown> {
    const n = published++;
    if (variant === 'tenants') {
      return dispatcher.dispatch(`object.${Math.floor(n / 5) % 200}`, job, { tenantId: `tenant${n % 5}` });
    }
    if (variant === 'ordering') {
      return dispatcher.dispatch(typeOf(job.path), job, { orderingKey: `object ${n % 100}` });
    }
    return dispatcher.dispatch(typeOf(job.path), job);
  }

  return {
    publish,
    deliveriesOfEach: variant === 'fan-out' ? 1_000 : 1,
    work(onDone) {
      dispatcher.on('delivery:delivered', onDone);
      dispatcher.start();
    },
    async rest() {
      const tables = ['queue', 'events', 'deliveries', 'attempts', 'idempotency_keys'];
      await pool.query('alter table posthorn.queue set (autovacuum_enabled = false)');
      for (const table of tables) await pool.query(`vacuum (analyze) posthorn.${table}`);
    },
    async close() {
      await dispatcher.stop({ grace: 0 });
      await pool.end();
    },
  };
}

const typeOf = (path: string): string => (path === '/' ? 'object.created' : 'object.slow');
