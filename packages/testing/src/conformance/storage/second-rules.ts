import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import { ok, rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import { cutAt, wholeOrNothing } from './cut-off.js';
import { created, documentsOf, kind, leased, listed, over, read } from './document-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { viewOf } from './isolation.js';
import { oddTexts } from './odd-values.js';
import {
  acme,
  claim,
  claimAll,
  deliveryOf,
  hourMs,
  newEvent,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  result,
} from './sample.js';

type Body = (under: StorageUnderTest & { readonly second: StorageAdapter<unknown> }) => Promise<void>;

const secondRulesOf = (bodies: Readonly<Record<string, Body>>): readonly StorageRule[] =>
  topic<StorageUnderTest>(
    'second',
    Object.fromEntries(
      Object.entries(bodies).map(([title, body]) => [
        title,
        async (under: StorageUnderTest) => {
          const { second } = under;
          ok(second && second !== under.storage, 'the harness has no `second`: skip this topic, and say why');
          await body({ ...under, second });
        },
      ]),
    ),
  );

export const secondRules: readonly StorageRule[] = secondRulesOf({
  'what one process has written the other reads, at once and to the letter': async ({ storage, second }) => {
    const webhook = await second.webhooks.create(newWebhook());
    same(await storage.webhooks.get(acme, webhook.id), webhook);
    await publish(storage, ...newEvents(3, { subject: { type: 'order', id: '📯' } }));
    const [delivered, dead] = await claimAll(second);
    await storage.deliveries.settle([result(delivered!, 'delivered')]);
    await second.deliveries.settle([result(dead!, { status: 'pending', delayMs: hourMs, checkpoint: 'm' })]);
    const view = await viewOf(storage, acme);
    same(await viewOf(second, acme), view);
    same(await second.webhooks.get(undefined, webhook.id), webhook);
  },

  'a token is good in whichever process holds it': async ({ storage, second, advance }) => {
    const { deliveryId } = await oneDelivery(storage);
    const claimed = one(await claim(storage));
    assert.equal((await second.deliveries.renew([claimed], 3 * hourMs)).length, 1);
    await advance(2 * hourMs);
    for (const handle of [storage, second]) same(await claim(handle), []);
    same(await second.deliveries.settle([result(claimed, 'delivered')]), [true]);
    assert.equal((await deliveryOf(storage, deliveryId)).status, 'delivered');
    same(await storage.deliveries.settle([result(claimed, 'dead')]), [false]);
  },

  'the clock is one for all processes: a lease of one is over for the other': async (under) => {
    const { storage, second, advance } = under;
    await oneDelivery(second);
    const lost = one(await claim(storage, { leaseMs: hourMs }));
    await advance(hourMs);
    const taken = one(await claim(second));
    assert.equal(taken.deliveryId, lost.deliveryId);
    same(await storage.deliveries.settle([result(lost, 'delivered')]), [false]);
  },

  'a webhook that one process pauses, changes or deletes is so for the other': async ({
    storage,
    second,
  }) => {
    const { id } = await storage.webhooks.create(newWebhook());
    // Whatever a process remembers of webhooks, it has now.
    await publish(second, newEvent());
    await second.deliveries.settle([result(one(await claim(second)), 'delivered')]);
    await publish(second, newEvent());
    await storage.webhooks.update(acme, id, 1, { isActive: false });
    same(await claim(second), []);
    await publish(second, newEvent());
    await storage.webhooks.update(acme, id, 2, { isActive: true, name: 'Renamed' });
    const claimed = one(await claim(second));
    assert.equal(claimed.webhook.name, 'Renamed');
    await storage.webhooks.delete(acme, id);
    same(await second.deliveries.settle([result(claimed, 'delivered')]), [false]);
    same((await second.deliveries.publish([newEvent()])).published[0]?.deliveries, 0);
  },

  'an idempotency key is one for all processes': async ({ storage, second }) => {
    await storage.webhooks.create(newWebhook());
    const key = { idempotencyKey: 'order-1', fingerprint: 'print' };
    const { published } = await storage.deliveries.publish([newEvent(key)]);
    same((await second.deliveries.publish([newEvent(key)])).published, published);
    const different = newEvent({ ...key, fingerprint: 'another' });
    await rejectsWith('idempotency_conflict', second.deliveries.publish([different]));
  },

  'a document is one for all processes: a version is written once, and leased by one of them': async ({
    storage,
    second,
  }) => {
    // A storage that keeps none has none to share.
    if (!storage.supports.documents) return;
    const [documents, others] = [documentsOf(storage), documentsOf(second)];
    const first = await created(documents, { dueInMs: 0 });
    same(await read(others, first), first);
    const written = await others.put(over(first, { body: oddTexts[0]!, dueInMs: 0 }), 1);
    same(await listed(documents), [written]);
    assert.equal(await documents.put(over(first), 1), undefined);
    const taken = await leased(documents, hourMs);
    assert.equal(await others.due(kind, hourMs), undefined);
    same(await others.put(over(taken, { body: null }), taken.version), taken);
    assert.equal(await documents.put(over(taken), taken.version), undefined);
  },

  'what a process publishes as it is killed is all there, or not at all': async (under) => {
    const { storage, second, killSecond } = under;
    ok(
      killSecond,
      'second is a handle of this process: name a module that another process runs, or skip this topic',
    );
    await storage.webhooks.create(newWebhook());
    const call = (events: ReturnType<typeof newEvents>) => () => second.deliveries.publish(events);
    // The first call opens the handle.
    await second.log.events(acme, { limit: 1 });
    const { turns } = await cutAt(Number.POSITIVE_INFINITY, call(newEvents(50)), async () => {});
    for (const part of [0.3, 0.7]) {
      const events = newEvents(50);
      const { isDone } = await cutAt(turns * part, call(events), killSecond);
      await wholeOrNothing(storage, events, isDone);
      // Opens one in the next process.
      await second.log.events(acme, { limit: 1 });
    }
    const claims = await claimAll(storage);
    ok(claims.length >= 50 && claims.length % 50 === 0, 'all that is there can be claimed');
  },
});
