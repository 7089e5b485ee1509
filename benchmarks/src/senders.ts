import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, type Dispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { Pool } from 'undici';

export const connections = 32;
/** 1 KB of JSON. */
const payload = { text: 'x'.repeat(1_000), number: 42 };

/** Prepares, and returns a function that sends `count` signed requests. */
export type Sender = (origin: string) => Promise<(count: number) => Promise<void>>;

/** The upper limit: undici's `request` with a signature, and nothing else. */
export const bare: Sender = async (origin) => {
  const pool = new Pool(origin, { connections });
  const key = createSecretKey(randomBytes(32));
  const body = JSON.stringify({ event_id: 'evt_0VboZYV4VbCm0NPWAF1C3F', metadata: payload });
  let left = 0;

  async function loop(): Promise<void> {
    while (left-- > 0) {
      const id = `evt_0VboZYV4VbCm0NPWAF${left}`;
      const timestamp = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
      const headers = {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
      };
      const { body: answer } = await pool.request({ path: '/', method: 'POST', headers, body });
      await answer.dump();
    }
  }

  return async (count) => {
    left = count;
    await Promise.all(Array.from({ length: connections }, loop));
  };
};

async function engine(origin: string): Promise<Dispatcher> {
  const dispatcher = createDispatcher({
    storage: memoryStorage({ maxBytes: 8 * 1024 ** 3 }),
    channels: [
      httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] }, connections } }),
    ],
    concurrency: connections,
    webhookConcurrency: connections,
  });
  await dispatcher.webhooks.create({
    name: 'bench',
    eventTypes: ['object.*'],
    channels: [{ channel: 'webhook', configs: { url: origin } }],
  });
  return dispatcher;
}

const callers = 64;

async function dispatchAll(dispatcher: Dispatcher, count: number): Promise<void> {
  let left = count;
  async function caller(): Promise<void> {
    while (left-- > 0) await dispatcher.dispatch('object.created', payload);
  }
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Dispatches events by 64 callers while they are delivered: everything that the engine does. */
export const whole: Sender = async (origin) => {
  const dispatcher = await engine(origin);
  dispatcher.start();
  return async (count) => {
    let open = count;
    const done = new Promise<void>((resolve) => {
      const onDelivered = () => {
        if (--open > 0) return;
        dispatcher.off('delivery:delivered', onDelivered);
        resolve();
      };
      dispatcher.on('delivery:delivered', onDelivered);
    });
    await dispatchAll(dispatcher, count);
    await done;
  };
};

/** Delivers waiting events: claim, send, settle. Dispatching is not measured. */
export const deliveries = async (origin: string) => {
  const dispatcher = await engine(origin);
  return {
    prepare: (count: number) => dispatchAll(dispatcher, count),
    run: () => dispatcher.drain(),
  };
};

/**
 * Bytes of heap per pending delivery, beyond the text of the payload. There are `count` events with one delivery each.
 */
export async function heapPerPending(count: number): Promise<number> {
  const dispatcher = await engine('http://127.0.0.1:40009');
  const collect = globalThis.gc!;
  await dispatchAll(dispatcher, 1_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  await dispatchAll(dispatcher, count);
  collect();
  const textBytes = JSON.stringify(payload).length;
  const bytes = (process.memoryUsage().heapUsed - before) / count - textBytes;
  // Keeps the dispatcher reachable until here.
  if ((await dispatcher.events.list({ limit: 1 })).items.length !== 1) throw new Error('nothing is stored');
  return bytes;
}

/** Microseconds of a dispatch that matches three of `count` webhooks; nothing is delivered. */
export async function matchingMicros(count: number): Promise<number> {
  const dispatcher = await engine('http://127.0.0.1:40009');
  const channels = [{ channel: 'webhook', configs: { url: 'http://127.0.0.1:40009' } }];
  for (let i = 0; i < count; i++) {
    await dispatcher.webhooks.create({
      name: 'w',
      eventTypes: [i < 3 ? 'wanted.*' : `other.${i % 500}`],
      channels,
    });
  }
  globalThis.gc!();
  const rounds = 20_000;
  const dispatches = async (): Promise<number> => {
    const begin = performance.now();
    for (let i = 0; i < rounds; i++) await dispatcher.dispatch('wanted.thing', i);
    return ((performance.now() - begin) * 1000) / rounds;
  };
  await dispatches();
  return Math.min(await dispatches(), await dispatches(), await dispatches());
}
