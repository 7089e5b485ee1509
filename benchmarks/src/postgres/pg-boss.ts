import { createRequire } from 'node:module';
import pg from 'pg';
import { type Competitor, concurrency, type Job, type Place, sender } from './competitor.js';

/** The API that both versions share. */
interface Boss {
  on(event: 'error', listener: (error: Error) => void): unknown;
  start(): Promise<unknown>;
  stop(options: object): Promise<unknown>;
  createQueue(name: string): Promise<unknown>;
  send(name: string, data: object): Promise<unknown>;
  fetch(name: string, options: object): Promise<{ id: string; data: Job }[]>;
  complete(name: string, ids: string[]): Promise<unknown>;
}

async function pgBoss({ postgres, origin }: Place, newBoss: (options: object) => Boss): Promise<Competitor> {
  const pool = new pg.Pool({ connectionString: postgres, max: 1 });
  await pool.query('drop schema if exists pgboss cascade');
  await pool.end();
  const boss = newBoss({ connectionString: postgres, max: 20 });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue('send');
  const send = sender(origin);
  let isOver = false;

  /** The fetch loop that its documentation recommends for throughput: full batches that are completed together. */
  async function loop(onDone: () => void): Promise<void> {
    while (!isOver) {
      const jobs = await boss.fetch('send', { batchSize: concurrency });
      if (jobs.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      await Promise.all(jobs.map(({ data }) => send(data)));
      await boss.complete(
        'send',
        jobs.map(({ id }) => id),
      );
      for (const _ of jobs) onDone();
    }
  }

  let loops: Promise<unknown> = Promise.resolve();
  return {
    publish: (job) => boss.send('send', job),
    work(onDone) {
      loops = Promise.all([loop(onDone), loop(onDone)]);
    },
    async close() {
      isOver = true;
      await loops;
      await boss.stop({ graceful: false });
    },
  };
}

export async function pgBoss12(place: Place): Promise<Competitor> {
  const { PgBoss } = await import('pg-boss');
  return pgBoss(place, (options) => new PgBoss(options as never) as unknown as Boss);
}

export async function pgBoss10(place: Place): Promise<Competitor> {
  const Ten = createRequire(import.meta.url)('pg-boss-10');
  return pgBoss(place, (options) => new Ten(options));
}
