import { createDispatcher } from '@posthorn/core';
import { gone } from '@posthorn/core/channel';
import { recordingChannel } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase } from './database.js';

describe.skipIf(!hasPostgres())('on Postgres', () => {
  test('an event is explained: what happened to it, what happens next, and which webhooks it nearly matched', async () => {
    const { pool } = await openDatabase();
    let offset = 0;
    const storage = postgresStorage(pool, { clockOffset: () => offset });
    await storage.migrate();
    const [hook, slack, email] = ['webhook', 'slack', 'email'].map((type) => recordingChannel(type));
    const posthorn = createDispatcher({
      storage,
      channels: [hook!, { ...slack!, supportsDigests: true }, email!],
      retry: { schedule: ['1h'], jitter: 0 },
    });
    const configs = {};
    const create = (
      name: string,
      eventTypes: string[],
      channels: object[] = [{ channel: 'webhook', configs }],
    ) => posthorn.webhooks.create({ name, eventTypes, channels: channels as never });

    await create('disabled', ['order.created']);
    hook!.failNext(1, gone('http_status', 'answered\0 410'));
    await posthorn.dispatch('order.created', 1);
    await posthorn.drain();
    offset += 60_000;
    const several = await create(
      'several',
      ['order.*'],
      [
        { channel: 'webhook', configs },
        { channel: 'slack', configs, digest: { window: '10m' } },
        { channel: 'email', configs, onlyAfter: { channel: 'webhook', failedAttempts: 2 } },
      ],
    );
    await create('near', ['Order.created', 'order.paid']);
    hook!.failNext(1);
    const { eventId } = await posthorn.dispatch('order.created', { orderId: 'o1' });
    await posthorn.drain();

    const { event, matched, missed, isComplete } = await posthorn.events.explain(eventId);
    expect(event).toEqual(await posthorn.events.get(eventId));
    const [first, second] = several.channels.map(({ id }) => ({ bindingId: id }));
    const { items } = await posthorn.deliveries.list({ eventId });
    const deliveryTo = ({ bindingId }: { bindingId: string } = { bindingId: '' }) =>
      items.find((delivery) => delivery.bindingId === bindingId)!;
    expect(matched).toEqual([
      {
        webhook: { id: several.id, name: 'several', isActive: true },
        patterns: ['order.*'],
        deliveries: [
          {
            ...first,
            channel: 'webhook',
            delivery: deliveryTo(first),
            attempts: await posthorn.deliveries.attempts(deliveryTo(first).id),
            next: { what: 'attempt', at: deliveryTo(first).dueAt, why: 'attempt 2 is due' },
          },
          {
            ...second,
            channel: 'slack',
            delivery: deliveryTo(second),
            attempts: [],
            next: {
              what: 'attempt',
              at: new Date(deliveryTo(second).createdAt.getTime() + 600_000),
              why: 'it gathers in a digest until then, or until there are 100 events, or as many bytes as fit',
            },
          },
          {
            bindingId: several.channels[2]!.id,
            channel: 'email',
            delivery: null,
            attempts: [],
            next: { what: 'waits', at: null, why: 'it begins when webhook has failed 2 times; so far: 1' },
          },
        ],
      },
    ]);
    expect(matched[0]?.deliveries[0]?.attempts).toHaveLength(1);
    const [disabled, near] = missed;
    expect(disabled).toMatchObject({
      webhook: { name: 'disabled', isActive: false },
      pattern: 'order.created',
      reason: 'disabled',
      message: expect.stringContaining('the engine has paused the webhook: answered\0 410; '),
    });
    expect(near).toMatchObject({
      webhook: { name: 'near', isActive: true },
      pattern: 'Order.created',
      reason: 'pattern',
      message: 'segment 1 is Order, not order: case counts',
    });
    expect([missed.length, isComplete]).toEqual([2, true]);
  });
});
