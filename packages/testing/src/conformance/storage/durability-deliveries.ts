import assert from 'node:assert/strict';
import { same } from '../assertions.js';
import { gathering, idsIn, windowMs } from './digest-sample.js';
import type { StorageRule } from './harness.js';
import { oddTexts } from './odd-values.js';
import { durabilityRulesOf } from './reopen.js';
import {
  acme,
  claim,
  claimAll,
  deliveriesOf,
  hourMs,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** The state of a delivery outlives the process. */
export const durabilityDeliveryRules: readonly StorageRule[] = durabilityRulesOf({
  'a lease outlives its process: the delivery is not claimed again before the lease ends, and the token stays valid':
    async ({ storage, advance }) => {
      await storage.webhooks.create(newWebhook());
      await publish(storage, ...newEvents(3));
      const claims = await claimAll(storage, { leaseMs: hourMs });
      const [settled, renewed, lost] = claims;
      await storage.deliveries.renew([renewed!], 10 * hourMs);
      return async (reopened) => {
        same(await claim(reopened), []);
        await settleAll(reopened, [result(settled!, 'delivered')]);
        await advance(2 * hourMs);
        const taken = one(await claim(reopened));
        assert.equal(taken.deliveryId, lost?.deliveryId);
        assert.equal(new Set([taken, ...claims].map(({ token }) => token)).size, 4, 'its token is fresh');
        same(await reopened.deliveries.settle([result(lost!, 'delivered')]), [false]);
        same(await reopened.deliveries.settle([result(renewed!, 'delivered')]), [true]);
      };
    },

  'a result outlives the process, with its attempt, and a final status stays final': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(3));
    const [delivered, dead, cancelled] = await claimAll(storage);
    await settleAll(storage, [
      result(delivered!, 'delivered'),
      result(dead!, 'dead'),
      result(cancelled!, 'cancelled'),
    ]);
    return async (reopened) => {
      same(await claimAll(reopened), []);
      same(await reopened.deliveries.settle([result(delivered!, 'dead')]), [false]);
    };
  },

  'a retry outlives the process, with its delay and its checkpoint': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    const [retried, put, released, marked] = await claimAll(storage);
    await settleAll(storage, [
      result(retried!, { status: 'pending', delayMs: 2 * hourMs, checkpoint: 'm' }),
      release(put!, 5 * hourMs),
      release(released!),
      { claim: marked!, next: { status: 'released', checkpoint: oddTexts[1]! } },
    ]);
    return async (reopened) => {
      const claims = await claimAll(reopened, { leaseMs: 100 * hourMs });
      const checkpoints = new Map(claims.map(({ deliveryId, checkpoint }) => [deliveryId, checkpoint]));
      same([...checkpoints.keys()].sort(), sorted([released!.deliveryId, marked!.deliveryId]));
      assert.equal(checkpoints.get(marked!.deliveryId), oddTexts[1]);
      await advance(2 * hourMs);
      const again = one(await claimAll(reopened, { leaseMs: 100 * hourMs }));
      same([again.deliveryId, again.checkpoint], [retried!.deliveryId, 'm']);
      await advance(3 * hourMs);
      assert.equal(one(await claimAll(reopened)).deliveryId, put!.deliveryId);
    };
  },

  'a manual retry and a cancellation outlive the process': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    await settleAll(
      storage,
      (await claimAll(storage)).map((claimed) => result(claimed, 'dead')),
    );
    await publish(storage, newEvent());
    const all = await deliveriesOf(storage);
    const [asked] = all.filter(({ status }) => status === 'dead');
    const waiting = one(all.filter(({ status }) => status === 'pending'));
    await storage.log.transition(acme, [asked!.id], 'pending');
    await storage.log.transition(acme, [waiting.id], 'cancelled');
    return async (reopened) => {
      assert.equal(one(await claimAll(reopened)).deliveryId, asked!.id);
    };
  },

  'an escalated delivery outlives the process, and does not begin a second time': async ({ storage }) => {
    const first = newBinding();
    const second = newBinding({ onlyAfter: { channel: first.id, failedAttempts: 1 } });
    await storage.webhooks.create(newWebhook({ channels: [first, second] }));
    await publish(storage, newEvent());
    const failing = { status: 'pending', delayMs: 0 } as const;
    const claimed = one(await claim(storage));
    await settleAll(storage, [{ ...result(claimed, failing), escalateTo: [second.id] }]);
    return async (reopened) => {
      const both = await claimAll(reopened);
      same(sorted(both.map(({ binding }) => binding!.id)), sorted([first.id, second.id]));
      const again = both.find(({ binding }) => binding?.id === first.id)!;
      await settleAll(reopened, [{ ...result(again, 'dead'), escalateTo: [second.id] }]);
      assert.equal((await deliveriesOf(reopened)).length, 2);
    };
  },

  'ordering keys apply in the next process as in the last': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(3, { orderingKey: 'k' });
    await publish(storage, ...events);
    const first = one(await claimAll(storage));
    await settleAll(storage, [result(first, { status: 'pending', delayMs: hourMs, unblocksOrder: true })]);
    return async (reopened) => {
      for (const { id } of [events[1]!, events[2]!]) {
        const claimed = one(await claimAll(reopened));
        assert.equal(claimed.event.id, id);
        await settleAll(reopened, [result(claimed, 'delivered')]);
      }
    };
  },

  'gathered events outlive the process, and an existing digest stays one': async (under) => {
    const { storage, advance } = under;
    // A storage without digests has nothing to keep.
    if (!storage.supports.digests) return async () => {};
    await gathering(storage);
    const events = newEvents(4);
    await publish(storage, events[0]!, events[1]!);
    await advance(windowMs + minuteMs);
    const sent = one(await claim(storage));
    await settleAll(storage, [result(sent, { status: 'pending', delayMs: windowMs / 2, checkpoint: 'm' })]);
    await publish(storage, events[2]!);
    return async (reopened) => {
      same(await claim(reopened), []);
      await publish(reopened, events[3]!);
      await advance(windowMs / 2);
      const again = one(await claim(reopened));
      same([again.deliveryId, again.checkpoint, idsIn(again)], [sent.deliveryId, 'm', idsIn(sent)]);
      await settleAll(reopened, [result(again, 'delivered')]);
      await advance(windowMs);
      same(idsIn(one(await claim(reopened))), idsOf(events.slice(2)));
    };
  },
});
