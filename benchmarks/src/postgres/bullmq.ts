import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { type Competitor, concurrency, type Job, type Place, sender } from './competitor.js';

export async function bullmq({ redisPort, origin }: Place): Promise<Competitor> {
  const connect = () => new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });
  const connection = connect();
  const queue = new Queue<Job>('send', { connection });
  await queue.obliterate({ force: true });
  const send = sender(origin);
  let worker: Worker<Job> | undefined;
  return {
    publish: (job) => queue.add('send', job, { removeOnComplete: true }),
    work(onDone) {
      worker = new Worker<Job>('send', ({ data }) => send(data), { connection: connect(), concurrency });
      worker.on('completed', onDone);
    },
    async close() {
      await worker?.close(true);
      await queue.close();
    },
  };
}
