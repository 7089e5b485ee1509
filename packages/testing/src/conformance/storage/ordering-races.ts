import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import type { Claim, NewEvent } from '@posthorn/core/storage';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import { deliver, keyed } from './chain-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  claim,
  claimAll,
  claimOptions,
  deliverAll,
  eventIdsOf,
  hourMs,
  idsOf,
  newEvent,
  newWebhook,
  publish,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** The order of a key when publications, claims and results are concurrent. */
export const orderingRaceRules: readonly StorageRule[] = topic<StorageUnderTest>('ordering', {
  'deliveries of a key go in the order of publication, whatever process publishes, and however many at a time':
    async (under) => {
      const { storage, second = storage } = under;
      await storage.webhooks.create(newWebhook());
      const handles = [storage, second];
      // Both have published before, many at once, so that all their connections are open.
      await Promise.all(
        Array.from({ length: 40 }, (_, i) => publish(handles[i % 2]!, ...keyed(1, `other-${i}`))),
      );
      await deliverAll(storage);
      const events: NewEvent[] = [];
      for (let n = 0; n < 12; n++) {
        // Everything else that is published meanwhile has other keys and another connection.
        const beside = Array.from({ length: n % 4 }, (_, i) =>
          publish(handles[i % 2]!, ...keyed(1, `beside-${i}`)),
        );
        const event = newEvent({ orderingKey: 'order-1' });
        await publish(handles[n % 2]!, event);
        await Promise.all(beside);
        events.push(event);
      }
      const reached: string[] = [];
      for (let claims = await claim(storage); claims.length > 0; claims = await claim(storage)) {
        for (const { event } of claims) if (event.orderingKey === 'order-1') reached.push(event.id);
        await settleAll(
          storage,
          claims.map((claimed) => result(claimed, 'delivered')),
        );
      }
      assert.deepEqual(reached, idsOf(events));
    },

  'concurrent results and claims leave no delivery behind': async ({
    storage,
    second = storage,
    advance,
  }) => {
    await storage.webhooks.create(newWebhook());
    for (let round = 0; round < 10; round++) {
      const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
      const heads = keys.flatMap((key) => keyed(1, key));
      const nexts = keys.flatMap((key) => keyed(1, key));
      await publish(storage, ...heads, ...nexts);
      const first = await claimAll(storage, { leaseMs: 100 * hourMs });
      assert.deepEqual(sorted(eventIdsOf(first)), sorted(idsOf(heads)));
      // A storage that does periodic work for waiting deliveries may do it now.
      await advance(hourMs);
      const [claims, more] = await Promise.all([
        claim(second),
        claim(second),
        settleAll(
          storage,
          first.map((claimed) => result(claimed, 'delivered')),
        ),
      ]);
      const all = [...claims, ...more, ...(await claimAll(storage))];
      assert.deepEqual(sorted(eventIdsOf(all)), sorted(idsOf(nexts)), `round ${round}`);
      await settleAll(
        storage,
        all.map((claimed) => result(claimed, 'delivered')),
      );
    }
  },

  'concurrent claims and events never put two deliveries of a key in flight': async ({
    storage,
    second = storage,
  }) => {
    await storage.webhooks.create(newWebhook());
    const handles = [storage, second];
    const flying = new Map<string, number>();
    const delivered: string[] = [];
    let published = 0;

    /** Sends the claims, including those that a publication returned. */
    async function fly(handle: StorageAdapter<unknown>, claims: readonly Claim[]): Promise<void> {
      for (const { event } of claims) {
        const key = event.orderingKey!;
        assert.equal(flying.get(key) ?? 0, 0, `two of ${key} are in flight`);
        flying.set(key, 1);
      }
      await Promise.resolve();
      for (const claimed of claims) {
        flying.set(claimed.event.orderingKey!, 0);
        await deliver(handle, claimed);
        delivered.push(claimed.event.id);
      }
    }
    async function publishSome(i: number): Promise<void> {
      for (let n = 0; n < 5; n++) {
        const handle = handles[i % 2]!;
        const options = n % 2 === 0 ? {} : { prefetch: claimOptions({ isBegun: true }) };
        const { claims } = await handle.deliveries.publish(keyed(2, `key-${(i + n) % 3}`), options);
        published += 2;
        await handle.deliveries.begin(claims, 0);
        await fly(handle, claims);
      }
    }
    async function work(i: number): Promise<void> {
      for (let n = 0; n < 40; n++) await fly(handles[i % 2]!, await claim(handles[i % 2]!, { limit: 3 }));
    }
    await Promise.all([...[0, 1, 2, 3].map(publishSome), ...[0, 1, 2, 3].map(work)]);
    for (let rest = await claim(storage); rest.length > 0; rest = await claim(storage)) {
      for (const claimed of rest) await deliver(storage, claimed);
      delivered.push(...eventIdsOf(rest));
    }
    assert.equal(delivered.length, published);
    ok(new Set(delivered).size === published, 'each must be delivered once');
  },
});
