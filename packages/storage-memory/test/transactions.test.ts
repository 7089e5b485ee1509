import { isPosthornError } from '@posthorn/core';
import { expect, test } from 'vitest';
import { memoryStorage } from '../src/index.js';
import { eventIdsOf, newEvent, newWebhook } from './sample.js';

const open = () => memoryStorage({ transactions: true });
const withCode = (code: string) => expect.objectContaining({ name: 'PosthornError', code });
const keyed = (key: string) => newEvent({ idempotencyKey: key, fingerprint: 'print' });

test.each(['commit', 'rollback'] as const)('a transaction cannot be used after its %s', async (end) => {
  const storage = open();
  const tx = storage.transaction();
  await tx[end]();
  for (const use of [
    () => storage.deliveries.publish([newEvent()], { tx }),
    () => storage.webhooks.create(newWebhook(), { tx }),
    () => tx.commit(),
    () => tx.rollback(),
  ]) {
    const error = await use().catch((reason: unknown) => reason);
    expect(error).toEqual(withCode('invalid_option'));
    expect(isPosthornError(error) && error.issues[0]?.path).toEqual(['tx']);
  }
});

test('a tx that is no transaction of a memory storage is refused, and stores nothing', async () => {
  const storage = open();
  for (const tx of [{ commit: async () => {}, rollback: async () => {} }, 'tx' as never]) {
    await expect(storage.deliveries.publish([newEvent()], { tx })).rejects.toEqual(
      withCode('invalid_option'),
    );
    await expect(storage.webhooks.create(newWebhook(), { tx })).rejects.toEqual(withCode('invalid_option'));
  }
  expect(await eventIdsOf(storage)).toEqual([]);
});

test('a transaction of another memory storage is refused', async () => {
  const tx = open().transaction();
  await expect(open().deliveries.publish([newEvent()], { tx })).rejects.toEqual(withCode('invalid_option'));
});

test('a storage without the option has no transactions', () => {
  expect(memoryStorage().supports.transactions).toBe(false);
  expect(memoryStorage()).not.toHaveProperty('transaction');
});

test('a publish that waits for an idempotency key goes on after a rollback, and stores its own event', async () => {
  const storage = open();
  const tx = storage.transaction();
  await storage.deliveries.publish([keyed('k')], { tx });
  const mine = keyed('k');
  const waiting = storage.deliveries.publish([mine]);
  await tx.rollback();
  expect((await waiting).published[0]?.eventId).toBe(mine.id);
});

test('a webhook whose id an open transaction holds waits for its end, and then conflicts with it', async () => {
  const storage = open();
  const tx = storage.transaction();
  const webhook = await storage.webhooks.create(newWebhook(), { tx });
  const waiting = storage.webhooks.create(newWebhook({ id: webhook.id }));
  expect(await storage.webhooks.get(undefined, webhook.id)).toBeUndefined();
  await tx.commit();
  await expect(waiting).rejects.toEqual(withCode('conflict'));
});

test('two transactions that wait for each other are a conflict, and the other one goes on', async () => {
  const storage = open();
  const [one, two] = [storage.transaction(), storage.transaction()];
  await storage.deliveries.publish([keyed('a')], { tx: one });
  const first = keyed('b');
  await storage.deliveries.publish([first], { tx: two });
  const waiting = storage.deliveries.publish([keyed('b')], { tx: one });
  await expect(storage.deliveries.publish([keyed('a')], { tx: two })).rejects.toEqual(withCode('conflict'));
  await two.commit();
  expect((await waiting).published[0]?.eventId).toBe(first.id);
});

test('what waits for a commit counts towards the limit, and a rollback frees it', async () => {
  const storage = memoryStorage({ transactions: true, maxBytes: 10_000 });
  await storage.webhooks.create(newWebhook());
  const large = () => newEvent({ payload: `"${'x'.repeat(7_000)}"` });
  const tx = storage.transaction();
  await storage.deliveries.publish([large()], { tx });
  await expect(storage.deliveries.publish([large()])).rejects.toEqual(withCode('storage_full'));
  await tx.rollback();
  await storage.deliveries.publish([large()]);
});

test('a channel that the webhook gets before the commit gets no event that was published before', async () => {
  const storage = open();
  const webhook = await storage.webhooks.create(newWebhook());
  const tx = storage.transaction();
  await storage.deliveries.publish([newEvent()], { tx });
  const [binding] = webhook.channels;
  const channels = [binding!, { ...binding!, id: 'bnd_another01' }];
  await storage.webhooks.update(webhook.tenantId, webhook.id, 1, { channels });
  await tx.commit();
  const { items } = await storage.log.deliveries(webhook.tenantId, { limit: 9 });
  expect(items.map(({ bindingId }) => bindingId)).toEqual([binding!.id]);
});

test('a delivery whose webhook is deleted before the commit is cancelled by the commit', async () => {
  const storage = open();
  const webhook = await storage.webhooks.create(newWebhook());
  const tx = storage.transaction();
  await storage.deliveries.publish([newEvent()], { tx });
  await storage.webhooks.delete(webhook.tenantId, webhook.id);
  await tx.commit();
  const { items } = await storage.log.deliveries(webhook.tenantId, { limit: 9 });
  expect(items.map(({ status }) => status)).toEqual(['cancelled']);
});
