import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  hourMs,
  idsOf,
  newBinding,
  newEvents,
  newWebhook,
  one,
  publish,
  release,
  result,
  settleAll,
  take,
} from './sample.js';

export const beginDigestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'the attempt of each delivery in a digest is counted once, when the attempt of the digest begins': async ({
    storage,
    advance,
  }) => {
    const binding = newBinding({ digest: { window: hourMs, maxEvents: 100 } });
    await storage.webhooks.create(newWebhook({ channels: [binding] }));
    const events = newEvents(3);
    await publish(storage, ...events);
    await advance(2 * hourMs);
    const countsOf = async (): Promise<number[]> =>
      Promise.all(
        events.map(
          async ({ id }) =>
            one((await storage.log.deliveries(acme, { eventId: id, limit: 2 })).items).attempts,
        ),
      );
    const early = one(await take(storage, { isBegun: true }));
    const before = early.begunAt ? 1 : 0;
    same(await countsOf(), [before, before, before]);
    await settleAll(storage, [release(early)]);
    const claimed = one(await take(storage, { leaseMs: hourMs }));
    same(await countsOf(), [0, 0, 0]);
    const { at } = await storage.deliveries.begin([claimed], 0);
    await storage.deliveries.begin([claimed], 0);
    same(await countsOf(), [1, 1, 1]);
    await advance(hourMs);
    const again = one(await take(storage));
    same([again.deliveryId, again.attempt, again.lostAt], [claimed.deliveryId, 2, at]);
    same(idsOf(again.digest ?? []), idsOf(events));
    await storage.deliveries.begin([again], 0);
    await settleAll(storage, [release(again)]);
    same(await countsOf(), [1, 1, 1]);
  },

  'each claim has the attempts that the schedule of a digest leaves out, until one of its deliveries is retried by hand':
    async (under) => {
      const { storage, advance } = under;
      const binding = newBinding({ digest: { window: hourMs, maxEvents: 100 } });
      await storage.webhooks.create(newWebhook({ channels: [binding] }));
      const events = newEvents(3);
      await publish(storage, ...events);
      await advance(2 * hourMs);
      await settleAll(storage, [
        result(one(await claim(storage)), { status: 'pending', delayMs: hourMs, isUncounted: true }),
      ]);
      await advance(hourMs);
      const left = one(await take(storage));
      same([left.attempt, left.attemptsBeforeRetry, left.uncounted], [2, 0, 1]);
      await settleAll(storage, [release(left, hourMs)]);
      const { items } = await storage.log.deliveries(acme, { eventId: events[0]!.id, limit: 1 });
      await storage.log.transition(acme, idsOf(items), 'pending');
      const anew = one(await take(storage));
      same([anew.attempt, anew.attemptsBeforeRetry, anew.uncounted ?? 0], [2, 1, 0]);
      same(idsOf(anew.digest ?? []), idsOf(events));
    },
});
