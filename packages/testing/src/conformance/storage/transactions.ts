import assert from 'node:assert/strict';
import { ok, rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { OpenTransaction, StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  asRead,
  claimAll,
  deliverAll,
  deliveriesOf,
  eventIdsOf,
  eventsOf,
  hourMs,
  idsOf,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  publish,
  result,
  settleAll,
} from './sample.js';

function begin({ begin: open }: StorageUnderTest): Promise<OpenTransaction> {
  ok(open, 'the harness has no begin(): add it, or skip `transactions` with a reason');
  return open();
}

const keyed = { idempotencyKey: 'order-1', fingerprint: 'print' };

export const transactionsRules: readonly StorageRule[] = topic<StorageUnderTest>('transactions', {
  "an event commits with its caller's transaction": async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const { tx, commit } = await begin(under);
    const event = newEvent();
    same((await storage.deliveries.publish([event], { tx })).published, [
      { eventId: event.id, deliveries: 1 },
    ]);
    await commit();
    same(await eventsOf(storage), [asRead(event)]);
    assert.deepEqual(eventIdsOf(await claimAll(storage)), [event.id]);
  },

  "an event is rolled back with its caller's transaction, including its deliveries and its key": async (
    under,
  ) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const { tx, rollback } = await begin(under);
    const event = newEvent(keyed);
    await storage.deliveries.publish([event, ...newEvents(3)], { tx });
    await rollback();
    same(await eventsOf(storage), []);
    same(await deliveriesOf(storage), []);
    same(await claimAll(storage), []);
    const other = newEvent({ ...keyed, fingerprint: 'another' });
    same((await storage.deliveries.publish([other])).published, [{ eventId: other.id, deliveries: 1 }]);
    same((await storage.deliveries.publish([newEvent({ id: event.id })])).published, [
      { eventId: event.id, deliveries: 1 },
    ]);
  },

  'an event can be neither read nor claimed outside its transaction before the commit': async (under) => {
    const { storage, second = storage } = under;
    await storage.webhooks.create(newWebhook());
    const { tx, commit } = await begin(under);
    const event = newEvent();
    await storage.deliveries.publish([event], { tx });
    for (const other of [storage, second]) {
      same(await eventsOf(other), []);
      same(await deliveriesOf(other), []);
      same(await claimAll(other), []);
    }
    await commit();
    assert.deepEqual(eventIdsOf(await claimAll(second)), [event.id]);
  },

  'several calls share one transaction': async (under) => {
    const { storage } = under;
    const { tx, commit } = await begin(under);
    const webhook = await storage.webhooks.create(newWebhook(), { tx });
    const first = newEvent(keyed);
    await storage.deliveries.publish([first], { tx });
    const again = await storage.deliveries.publish([newEvent(keyed), newEvent()], { tx });
    same(again.published[0], { eventId: first.id, deliveries: 1 });
    await commit();
    same(await storage.webhooks.get(acme, webhook.id), webhook);
    assert.equal((await claimAll(storage)).length, 2);
  },

  "a publish with a key that an open transaction holds is refused within the caller's timeout, and stores nothing":
    async (under) => {
      const { storage } = under;
      const { tx, commit } = await begin(under);
      const first = newEvent(keyed);
      await storage.deliveries.publish([first], { tx });
      const late = storage.deliveries.publish([newEvent(keyed), newEvent()], { keyWaitMs: 20 });
      await rejectsWith('idempotency_key_in_use', late);
      same(await eventsOf(storage), []);
      await commit();
      same((await storage.deliveries.publish([newEvent(keyed)], { keyWaitMs: 20 })).published, [
        { eventId: first.id, deliveries: 0 },
      ]);
    },

  'a delivery in a transaction is cancelled if its webhook is deleted before the commit, even one that would gather':
    async (under) => {
      const { storage, advance } = under;
      for (const digest of [{}, { digest: { window: hourMs as never, maxEvents: 100 } }]) {
        const webhook = await storage.webhooks.create(newWebhook({ channels: [newBinding(digest)] }));
        const { tx, commit } = await begin(under);
        await storage.deliveries.publish([newEvent()], { tx });
        assert.equal(await storage.webhooks.delete(acme, webhook.id), true);
        await commit();
        await advance(2 * hourMs);
        // The worker that finds it cancels it, or is told to.
        const claims = await claimAll(storage);
        const results = claims.map((claimed) => result(claimed, 'cancelled'));
        await settleAll(storage, results);
      }
      const statuses = (await deliveriesOf(storage)).map(({ status }) => status);
      same(statuses, ['cancelled', 'cancelled']);
    },

  'a delivery with an ordering key is claimed once it is committed and its predecessors are finished': async (
    under,
  ) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const events = newEvents(3, { orderingKey: 'order-1' });
    await publish(storage, events[0]!);
    const { tx, commit } = await begin(under);
    await storage.deliveries.publish(events.slice(1), { tx });
    // All of this happens before the commit.
    await deliverAll(storage);
    await commit();
    for (const { id } of events.slice(1)) {
      const [claimed, ...others] = await claimAll(storage);
      assert.deepEqual([claimed?.event.id, others], [id, []]);
      await settleAll(storage, [result(claimed!, 'delivered')]);
    }
  },

  'a digest is due once it is full, across transactions': async (under) => {
    const { storage, advance } = under;
    ok(storage.supports.digests, 'the storage gathers no digests: skip this rule with that for a reason');
    const digest = { window: hourMs as never, maxEvents: 2 };
    await storage.webhooks.create(newWebhook({ channels: [newBinding({ digest })] }));
    const events = newEvents(3);
    for (const event of events) {
      const { tx, commit } = await begin(under);
      await storage.deliveries.publish([event], { tx });
      same(await claimAll(storage), []);
      await commit();
      if (event === events[1]) break;
      same(await claimAll(storage), []);
    }
    const [full, ...others] = await claimAll(storage);
    assert.deepEqual([idsOf(full?.digest ?? []), others], [idsOf(events.slice(0, 2)), []]);
    await settleAll(storage, [result(full!, 'delivered')]);
    await advance(2 * hourMs);
    same(await claimAll(storage), []);
  },

  'a digest follows the limits that its binding has at the commit, not those at the publish': async (
    under,
  ) => {
    const { storage } = under;
    ok(storage.supports.digests, 'the storage gathers no digests: skip this rule with that for a reason');
    const { digest, ...plain } = newBinding({ digest: { window: hourMs as never, maxEvents: 100 } });
    const { id } = await storage.webhooks.create(newWebhook({ channels: [{ ...plain, digest }] }));
    const { tx, commit } = await begin(under);
    const event = newEvent();
    await storage.deliveries.publish([event], { tx });
    await storage.webhooks.update(acme, id, 1, { channels: [plain] });
    same(await claimAll(storage), []);
    await commit();
    const [claimed, ...others] = await claimAll(storage);
    assert.deepEqual([claimed?.event.id, claimed?.digest, others], [event.id, undefined, []]);
  },

  'an ordered delivery in flight before an earlier one commits continues after its lease, before the earlier one':
    async (under) => {
      const { storage, advance } = under;
      await storage.webhooks.create(newWebhook());
      const [early, late] = newEvents(2, { orderingKey: 'order-1' });
      const { tx, commit } = await begin(under);
      await storage.deliveries.publish([early!], { tx });
      await publish(storage, late!);
      assert.deepEqual(eventIdsOf(await claimAll(storage)), [late!.id]);
      await commit();
      same(await claimAll(storage), []);
      // The worker that sent it has crashed.
      await advance(hourMs);
      for (const { id } of [late!, early!]) {
        const [claimed, ...others] = await claimAll(storage);
        assert.deepEqual([claimed?.event.id, others], [id, []]);
        await settleAll(storage, [result(claimed!, 'delivered')]);
      }
    },

  "a webhook is rolled back with its caller's transaction, and its id is free": async (under) => {
    const { storage } = under;
    const webhook = newWebhook();
    const { tx, rollback } = await begin(under);
    await storage.webhooks.create(webhook, { tx });
    await rollback();
    assert.equal(await storage.webhooks.get(acme, webhook.id), undefined);
    await publish(storage, newEvent());
    same(await deliveriesOf(storage), []);
    assert.equal((await storage.webhooks.create(webhook)).version, 1);
  },
});
