import { makeWorkerUtils, type Runner, run, runMigrations } from 'graphile-worker';
import pg from 'pg';
import { type Competitor, concurrency, type Job, type Place, sender } from './competitor.js';

const quiet = { error() {}, warn() {}, info() {}, debug() {} };

export async function graphile({ postgres, origin }: Place): Promise<Competitor> {
  const { Logger } = await import('graphile-worker');
  const logger = new Logger(
    () => (level, message) => quiet[level === 'warning' ? 'warn' : level]?.call(message),
  );
  const pgPool = new pg.Pool({ connectionString: postgres, max: 20 });
  pgPool.on('error', () => {});
  await pgPool.query('drop schema if exists graphile_worker cascade');
  await runMigrations({ pgPool, logger });
  const utils = await makeWorkerUtils({ pgPool, logger });
  const send = sender(origin);
  let runner: Runner | undefined;
  return {
    publish: (job) => utils.addJob('send', job),
    async work(onDone) {
      runner = await run({
        pgPool,
        logger,
        noHandleSignals: true,
        concurrency,
        preset: { worker: { localQueue: { size: 500 } } },
        taskList: { send: (job) => send(job as Job) },
      });
      runner.events.on('job:complete', onDone);
    },
    async close() {
      await runner?.stop().catch(() => {});
      await utils.release();
      await pgPool.end();
    },
  };
}
