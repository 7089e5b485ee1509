import type { Duration } from '@posthorn/core';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { expect, test } from 'vitest';

async function shop(digest?: { window: Duration }) {
  const partner = recordingChannel();
  const posthorn = testDispatcher({ channels: [partner] });
  const announced: string[] = [];
  posthorn.on('event:dispatched', () => announced.push('dispatched'));
  posthorn.on('delivery:delivered', ({ eventType }) => announced.push(`delivered ${eventType}`));
  const channels = [{ channel: 'webhook', configs: {}, ...(digest && { digest }) }];
  await posthorn.webhooks.create({ name: 'Acme', eventTypes: ['*'], channels });
  return { partner, posthorn, announced };
}

test('what is dispatched in a transaction is delivered and announced after its commit, and visible nowhere before', async () => {
  const { partner, posthorn, announced } = await shop();
  const tx = posthorn.transaction();
  const { deliveries } = await posthorn.dispatch('order.placed', { id: 1 }, { tx });
  await posthorn.dispatchMany([{ type: 'order.paid', payload: {} }], { tx });
  expect(deliveries).toBe(1);
  await posthorn.advance('1h');
  expect((await posthorn.events.list()).items).toEqual([]);
  expect([partner.attempts, announced]).toEqual([[], []]);
  await tx.commit();
  await posthorn.drain();
  expect(partner.deliveries.map(({ type }) => type)).toEqual(['order.placed', 'order.paid']);
  // As on a database, no `event:dispatched`: the engine does not learn of the commit.
  expect(announced).toEqual(['delivered order.placed', 'delivered order.paid']);
});

test('a rollback leaves nothing, and its idempotency key is free', async () => {
  const { partner, posthorn } = await shop();
  const tx = posthorn.transaction();
  await posthorn.dispatch('order.placed', { id: 1 }, { tx, idempotencyKey: 'o1' });
  await tx.rollback();
  await posthorn.advance('1d');
  expect(partner.attempts).toEqual([]);
  expect((await posthorn.events.list()).items).toEqual([]);
  await posthorn.dispatch('order.placed', { id: 2 }, { idempotencyKey: 'o1' });
  await posthorn.drain();
  expect(partner.deliveries.map(({ payload }) => payload)).toEqual([{ id: 2 }]);
});

test('a transaction that is over is refused, and so is a tx of something else', async () => {
  const { posthorn } = await shop();
  const tx = posthorn.transaction();
  await tx.commit();
  const error = expect.objectContaining({ code: 'invalid_option', message: expect.stringMatching(/^tx/) });
  await expect(posthorn.dispatch('a.b', {}, { tx })).rejects.toEqual(error);
  await expect(tx.rollback()).rejects.toEqual(error);
  await expect(posthorn.dispatch('a.b', {}, { tx: {} as never })).rejects.toEqual(error);
});

test('a digest gathers from the commit on, and advance sends it at the end of its window', async () => {
  const { partner, posthorn } = await shop({ window: '10m' });
  const tx = posthorn.transaction();
  await posthorn.dispatch('order.placed', {}, { tx });
  await posthorn.advance('1h');
  await tx.commit();
  const start = posthorn.clock.now();
  let sentAt = 0;
  posthorn.on('delivery:delivered', () => {
    sentAt = posthorn.clock.now() - start;
  });
  await posthorn.advance('1h');
  expect(partner.deliveries).toHaveLength(1);
  expect(sentAt).toBe(600_000);
});
