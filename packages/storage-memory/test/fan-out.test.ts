import { cpuMs, virtualClock } from '@posthorn/testing';
import { expect, test } from 'vitest';
import { memoryStorage } from '../src/index.js';
import { newEvent, newWebhook } from './sample.js';

test('E11: a thousand events find their matches among a thousand webhooks of fifty patterns in less than a second', async () => {
  const storage = memoryStorage({ now: virtualClock().now });
  for (let i = 0; i < 1_000; i++) {
    const eventTypes = Array.from({ length: 50 }, (_, j) =>
      j % 2 ? `of${i}.kind${j}.*` : `of${i}.kind${j}`,
    );
    await storage.webhooks.create(newWebhook({ eventTypes }));
  }
  let deliveries = 0;
  const took = await cpuMs(async () => {
    for (let i = 0; i < 1_000; i++) {
      const { published } = await storage.deliveries.publish([
        newEvent({ type: `of${i}.kind${(i % 25) * 2}` }),
      ]);
      deliveries += published[0]!.deliveries;
    }
  });
  expect(deliveries).toBe(1_000);
  expect(took).toBeLessThan(1_000);
});

test('P21: one event to ten thousand webhooks blocks the event loop for less than 50 ms', async () => {
  const storage = memoryStorage({ now: virtualClock().now });
  for (let i = 0; i < 10_000; i++) await storage.webhooks.create(newWebhook());
  const held: number[] = [];
  for (let i = 0; i < 5; i++) {
    // All of it happens within the call.
    let publishing: ReturnType<typeof storage.deliveries.publish> | undefined;
    held.push(
      await cpuMs(async () => {
        publishing = storage.deliveries.publish([newEvent()]);
      }),
    );
    expect((await publishing)!.published[0]!.deliveries).toBe(10_000);
  }
  // The first run compiles.
  expect(Math.min(...held)).toBeLessThan(50);
});
