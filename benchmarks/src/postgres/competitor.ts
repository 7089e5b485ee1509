import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { Pool } from 'undici';

export const concurrency = 100;

/** How many events each of several processes publishes as its warm-up. */
export const shareWarmUp = 10_000;

/** An event: 1 KB, where to, and when it was published, for those that measure how long it took. */
export interface Job {
  readonly path: string;
  readonly sentAt: number;
  readonly text: string;
}

/** Something that takes events and POSTs them, signed, durably. */
export interface Competitor {
  /** Resolves when the event is safe. */
  publish(job: Job): Promise<unknown>;
  /** Begins to deliver in this process; `onDone` is called for each that is recorded as delivered. */
  work(onDone: () => void): Promise<void> | void;
  /** How many deliveries an event has. Default 1. */
  readonly deliveriesOfEach?: number;
  /** What a night without work does to it. Left out: nothing that it would notice. */
  rest?(): Promise<void>;
  close(): Promise<void>;
}

export interface Place {
  readonly postgres: string;
  readonly redisPort: number;
  readonly origin: string;
}

export const now = (): number => performance.timeOrigin + performance.now();

/** What all but ours send with: undici's `request`, and a signature. */
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
