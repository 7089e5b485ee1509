import { cpuMs, virtualClock } from '@posthorn/testing';
import { expect, test } from 'vitest';
import { memoryStorage } from '../src/index.js';
import { newEvent, newWebhook } from './sample.js';

const matching = 3;

/** Measures a publish with this many webhooks, of which three match. `other` creates the rest. */
async function costAmong(
  webhooks: number,
  other: (i: number) => Parameters<typeof newWebhook>[0],
): Promise<number> {
  const { webhooks: store, deliveries } = memoryStorage({ now: virtualClock().now });
  for (let i = 0; i < webhooks; i++) {
    await store.create(newWebhook(i < matching ? { eventTypes: ['wanted.*'] } : other(i)));
  }
  const publish = (count: number): Promise<number> =>
    cpuMs(async () => {
      for (let i = 0; i < count; i++) await deliveries.publish([newEvent({ type: 'wanted.thing' })]);
    });
  await publish(2_000);
  return Math.min(await publish(1_000), await publish(1_000), await publish(1_000));
}

test.each([
  ['others', (i: number) => ({ eventTypes: [`other.${i % 500}`] })],
  ['paused ones that would match', () => ({ eventTypes: ['wanted.*'], isActive: false })],
])(
  'a publish that matches three webhooks costs no more among fifty thousand %s: there is no scan',
  async (_, other) => {
    const few = await costAmong(matching, other);
    // A scan would cost a hundred times as much. Collecting the garbage of fifty thousand webhooks costs something,
    // too.
    expect(await costAmong(50_000, other)).toBeLessThan(few * 20);
  },
);
