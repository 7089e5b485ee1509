import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { Pool } from 'undici';

export const concurrency = 100;

/** How many events each of several processes publishes as a warm-up. */
export const shareWarmUp = 10_000;

/** An event: its text of 1 KB, its path, and its time of publication, to measure latency. */
export interface Job {
  readonly path: string;
  readonly sentAt: number;
  readonly text: string;
}

/** A durable queue that takes events and POSTs them, signed. */
export interface Competitor {
  /** Resolves when the event is durable. */
  publish(job: Job): Promise<unknown>;
  /** Starts to deliver in this process. Calls `onDone` for each event that is recorded as delivered. */
  work(onDone: () => void): Promise<void> | void;
  /** How many deliveries an event has. Default 1. */
  readonly deliveriesOfEach?: number;
  /** Simulates a night without work. Left out: it makes no difference. */
  rest?(): Promise<void>;
  close(): Promise<void>;
}

export interface Place {
  readonly postgres: string;
  readonly redisPort: number;
  readonly origin: string;
}

export const now = (): number => performance.timeOrigin + performance.now();

/** Sends with undici's `request` and a signature, for every engine except Posthorn. */
export function sender(origin: string): (job: Job) => Promise<void> {
  const pool = new Pool(origin, { connections: concurrency });
  const key = createSecretKey(randomBytes(32));
  let count = 0;
  return async (job) => {
    const id = `evt_${++count}`;
    const timestamp = String(Math.floor(Date.now() / 1000));
    const body = JSON.stringify(job);
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    };
    const answer = await pool.request({ path: job.path, method: 'POST', headers, body });
    await answer.body.dump();
  };
}
