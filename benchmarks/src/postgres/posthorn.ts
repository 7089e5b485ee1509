import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';
import { type Competitor, concurrency, type Place } from './competitor.js';

/** Ours, with all that it does. `webhookConcurrency` is the cap for one webhook. */
export async function posthorn(
  { postgres, origin }: Place,
  webhookConcurrency = concurrency,
): Promise<Competitor> {
  const pool = new pg.Pool({ connectionString: postgres, max: 10 });
  await pool.query('drop schema if exists posthorn cascade');
  const storage = postgresStorage(pool);
  await storage.migrate();
  const dispatcher = createDispatcher({
    storage,
    channels: [
      httpChannel({
        outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] }, connections: concurrency },
      }),
    ],
    concurrency,
    webhookConcurrency,
  });
  dispatcher.on('error', (error) => console.error(error.message, error.cause));
  const paths = ['/', '/slow'];
  for (const path of paths) {
    await dispatcher.webhooks.create({
      name: path,
      eventTypes: [typeOf(path)],
      channels: [{ channel: 'webhook', configs: { url: `${origin}${path}` } }],
    });
  }
  return {
    publish: (job) => dispatcher.dispatch(typeOf(job.path), job),
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
