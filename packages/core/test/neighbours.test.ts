import { type Channel, createDispatcher, type DispatcherOptions } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, until } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const events = 20;
/** Far beyond the duration of the test: a test that needs a hanging delivery to end fails by its timeout. */
const never = '1h';

/** A channel that never answers. Counts the deliveries in flight, now and at most. */
function hangingChannel() {
  const hanging = { now: 0, most: 0 };
  const channel: Channel = {
    type: 'hangs',
    config: z.unknown(),
    send: (_, signal) =>
      new Promise((_resolve, reject) => {
        hanging.most = Math.max(hanging.most, ++hanging.now);
        signal.addEventListener('abort', () => {
          hanging.now--;
          reject(new Error('aborted'));
        });
      }),
  };
  return { channel, hanging };
}

type Limits = Pick<DispatcherOptions, 'pollInterval' | 'concurrency' | 'tenantConcurrency'>;

/**
 * Two processes on one storage, of which the second only publishes. The webhooks of `acme` hang; `globex` has others.
 */
async function neighbours(hung: number, options: Limits) {
  const storage = memoryStorage();
  const { channel, hanging } = hangingChannel();
  const takes = recordingChannel('takes');
  const given = { storage, channels: [channel, takes], attemptDeadline: never, lease: '2h' } as const;
  const worker = createDispatcher({ ...given, ...options });
  const other = createDispatcher(given);
  const create = (tenantId: string, type: string, n: number) =>
    other.webhooks.create({
      ...{ tenantId, name: `${type} ${n}`, eventTypes: ['*'] },
      channels: [{ channel: type, configs: {} }],
    });
  for (let n = 0; n < hung; n++) await create('acme', 'hangs', n);
  for (let n = 0; n < 10; n++) await create('globex', 'takes', n);
  const burst = (process: Pick<typeof other, 'dispatchMany'>, tenantId: string) =>
    process.dispatchMany(Array.from({ length: events }, (_, payload) => ({ type: 'a', payload, tenantId })));
  return { worker, other, takes, hanging, burst };
}

describe.each([12, 50])('beside %i hanging webhooks of another tenant', (hung) => {
  test.each(['the process that sends them', 'another process'])(
    'all deliveries of a tenant are sent at once, whose events %s has published',
    async (who) => {
      // Only events of another process are found by a poll.
      const pollInterval = who === 'another process' ? 10 : never;
      const { worker, other, takes, hanging, burst } = await neighbours(hung, { pollInterval });
      const publisher = who === 'another process' ? other : worker;
      worker.start();
      await burst(publisher, 'acme');
      await until(() => hanging.now === 50);
      for (let bursts = 1; bursts <= 3; bursts++) {
        await burst(publisher, 'globex');
        await until(() => takes.deliveries.length === 10 * events * bursts);
        // More deliveries of this tenant change nothing.
        await burst(publisher, 'acme');
      }
      expect(hanging, 'half of the slots').toEqual({ now: 50, most: 50 });
      await worker.stop({ grace: 0 });
      const { items } = await other.deliveries.list({ tenantId: 'acme', limit: 1_000 });
      expect(items.every(({ status, attempts }) => status === 'pending' && attempts === 0)).toBe(true);
    },
  );

  test('they continue where both tenants waited for a worker', async () => {
    const { worker, other, takes, hanging, burst } = await neighbours(hung, { pollInterval: never });
    await burst(other, 'acme');
    await burst(other, 'globex');
    worker.start();
    await until(() => takes.deliveries.length === 10 * events);
    await until(() => hanging.now === 50);
    await worker.stop({ grace: 0 });
    expect(hanging.most).toBe(50);
  });

  test('at most tenantConcurrency of them are in flight', async () => {
    const options = { pollInterval: never, concurrency: 20, tenantConcurrency: 3 } as const;
    const { worker, takes, hanging, burst } = await neighbours(hung, options);
    worker.start();
    await burst(worker, 'acme');
    await burst(worker, 'globex');
    await until(() => takes.deliveries.length === 10 * events);
    await until(() => hanging.now === 3);
    await worker.stop({ grace: 0 });
    expect(hanging.most).toBe(3);
  });
});
