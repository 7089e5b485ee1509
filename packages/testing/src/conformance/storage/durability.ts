import assert from 'node:assert/strict';
import type { Storage } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import { gathering, idsIn, windowMs } from './digest-sample.js';
import { created, documentsOf, kind, leased, listed, listedOfAll, over, read } from './document-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { viewOf } from './isolation.js';
import {
  acme,
  claim,
  claimAll,
  deliverAll,
  deliveriesOf,
  globex,
  hourMs,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  oddTexts,
  one,
  publish,
  rejectsWith,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** The storage as the next process has it. */
export async function reopenedOf({ reopen }: StorageUnderTest): Promise<Storage<unknown>> {
  ok(reopen, 'the harness has no reopen(), and the storage does not say isVolatile');
  return reopen();
}

/** What a rule does in the first process; it resolves to the proof that the next one gives. */
type Body = (under: StorageUnderTest) => Promise<(storage: Storage<unknown>) => Promise<void>>;

/** Each with a process that ends in between, after the clock has gone on; a storage that promises nothing is let off. */
const durabilityRulesOf = (bodies: Readonly<Record<string, Body>>): readonly StorageRule[] =>
  topic<StorageUnderTest>(
    'durability',
    Object.fromEntries(
      Object.entries(bodies).map(([title, body]) => [
        title,
        async (under: StorageUnderTest) => {
          if (under.storage.isVolatile) return;
          const proof = await body(under);
          await under.advance(minuteMs);
          const tenants = [acme, globex];
          const before = await Promise.all(tenants.map((tenantId) => viewOf(under.storage, tenantId)));
          const reopened = await reopenedOf(under);
          for (const [i, tenantId] of tenants.entries()) same(await viewOf(reopened, tenantId), before[i]);
          await proof(reopened);
        },
      ]),
    ),
  );

export const durabilityRules: readonly StorageRule[] = durabilityRulesOf({
  'webhooks outlive the process: as they were created, changed or paused; and what is deleted is gone':
    async ({ storage, advance }) => {
      const channels = [newBinding({ configs: { text: 'ünï 📯', n: 2.5, none: null } }), newBinding()];
      const secrets = [{ key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: new Date('2999-01-01') }];
      const changed = await storage.webhooks.create(newWebhook({ channels, secrets }));
      const paused = await storage.webhooks.create(newWebhook({ tenantId: globex }));
      const gone = await storage.webhooks.create(newWebhook());
      await advance(hourMs);
      const change = { name: 'Renamed', eventTypes: ['invoice.*'] };
      await storage.webhooks.update(acme, changed.id, 1, change);
      await storage.webhooks.update(globex, paused.id, 1, { isActive: false, disabledReason: oddTexts[0]! });
      await storage.webhooks.delete(acme, gone.id);
      return async ({ webhooks, deliveries }) => {
        assert.equal(await webhooks.get(undefined, gone.id), undefined);
        assert.equal(await webhooks.update(acme, changed.id, 1, { name: 'Late' }), undefined);
        assert.equal((await webhooks.update(acme, changed.id, 2, { name: 'Next' }))?.version, 3);
        await rejectsWith('conflict', webhooks.create(newWebhook({ id: paused.id })));
        const events = [newEvent(), newEvent({ type: 'invoice.paid' }), newEvent({ tenantId: globex })];
        const { published } = await deliveries.publish(events);
        same(
          published.map((each) => each.deliveries),
          [0, 2, 0],
        );
      };
    },

  'what was published outlives the process, with its deliveries and its idempotency key': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const key = { idempotencyKey: 'order-1', fingerprint: 'print' };
    const events = [newEvent({ ...key, payload: '{"b":1.10,"a":"\\u0000"}' }), newEvent()];
    const { published } = await storage.deliveries.publish(events);
    return async ({ deliveries, ...others }) => {
      same((await deliveries.publish([newEvent(key), events[1]!])).published, published);
      const different = newEvent({ ...key, fingerprint: 'another' });
      await rejectsWith('idempotency_conflict', deliveries.publish([different]));
      const claims = await claimAll({ deliveries, ...others });
      same(sorted(claims.map(({ event }) => event.id)), sorted(idsOf(events)));
    };
  },

  'a lease outlives the process that has it: nobody else gets the delivery before its end, and the token stays good':
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

  'what was settled outlives the process, with its attempt: what is final stays so': async ({ storage }) => {
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

  'what was put back outlives the process, with its wait and its memo': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(4));
    const [retried, put, released, marked] = await claimAll(storage);
    await settleAll(storage, [
      result(retried!, { status: 'pending', delayMs: 2 * hourMs, memo: 'm' }),
      release(put!, 5 * hourMs),
      release(released!),
      { claim: marked!, next: { status: 'released', memo: oddTexts[1]! } },
    ]);
    return async (reopened) => {
      const claims = await claimAll(reopened, { leaseMs: 100 * hourMs });
      const memos = new Map(claims.map(({ deliveryId, memo }) => [deliveryId, memo]));
      same([...memos.keys()].sort(), sorted([released!.deliveryId, marked!.deliveryId]));
      assert.equal(memos.get(marked!.deliveryId), oddTexts[1]);
      await advance(2 * hourMs);
      const again = one(await claimAll(reopened, { leaseMs: 100 * hourMs }));
      same([again.deliveryId, again.memo], [retried!.deliveryId, 'm']);
      await advance(3 * hourMs);
      assert.equal(one(await claimAll(reopened)).deliveryId, put!.deliveryId);
    };
  },

  'what was asked for again or cancelled outlives the process': async ({ storage }) => {
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

  'what has begun for another binding outlives the process, and begins no second time': async ({
    storage,
  }) => {
    const first = newBinding();
    const second = newBinding({ onlyAfter: { channel: first.id, failedAttempts: 1 } });
    await storage.webhooks.create(newWebhook({ channels: [first, second] }));
    await publish(storage, newEvent());
    const failing = { status: 'pending', delayMs: 0 } as const;
    const claimed = one(await claim(storage));
    await settleAll(storage, [{ ...result(claimed, failing), begin: [second.id] }]);
    return async (reopened) => {
      const both = await claimAll(reopened);
      same(sorted(both.map(({ binding }) => binding!.id)), sorted([first.id, second.id]));
      const again = both.find(({ binding }) => binding?.id === first.id)!;
      await settleAll(reopened, [{ ...result(again, 'dead'), begin: [second.id] }]);
      assert.equal((await deliveriesOf(reopened)).length, 2);
    };
  },

  'ordering keys hold in the next process as they did in the last': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    const events = newEvents(3, { orderingKey: 'k' });
    await publish(storage, ...events);
    const first = one(await claimAll(storage));
    await settleAll(storage, [result(first, { status: 'pending', delayMs: hourMs, yields: true })]);
    return async (reopened) => {
      for (const { id } of [events[1]!, events[2]!]) {
        const claimed = one(await claimAll(reopened));
        assert.equal(claimed.event.id, id);
        await settleAll(reopened, [result(claimed, 'delivered')]);
      }
    };
  },

  'what gathers outlives the process, and what is one digest stays that': async (under) => {
    const { storage, advance } = under;
    // A storage that gathers none has nothing to keep.
    if (!storage.supports.digests) return async () => {};
    await gathering(storage);
    const events = newEvents(4);
    await publish(storage, events[0]!, events[1]!);
    await advance(windowMs + minuteMs);
    const sent = one(await claim(storage));
    await settleAll(storage, [result(sent, { status: 'pending', delayMs: windowMs / 2, memo: 'm' })]);
    await publish(storage, events[2]!);
    return async (reopened) => {
      same(await claim(reopened), []);
      await publish(reopened, events[3]!);
      await advance(windowMs / 2);
      const again = one(await claim(reopened));
      same([again.deliveryId, again.memo, idsIn(again)], [sent.deliveryId, 'm', idsIn(sent)]);
      await settleAll(reopened, [result(again, 'delivered')]);
      await advance(windowMs);
      same(idsIn(one(await claim(reopened))), idsOf(events.slice(2)));
    };
  },

  'what was forgotten stays forgotten': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(2));
    await deliverAll(storage);
    await advance(48 * hourMs);
    await publish(storage, newEvent());
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 10 }), 2);
    return async (reopened) => {
      assert.equal((await deliveriesOf(reopened)).length, 1);
      assert.equal(await reopened.log.prune({ olderThanMs: hourMs, limit: 10 }), 0);
    };
  },

  'what backfill made outlives the process, and is not made again': async ({ storage }) => {
    // A storage that has no replays makes nothing.
    if (!storage.supports.replays) return async () => {};
    await publish(storage, ...newEvents(3));
    await storage.webhooks.create(newWebhook());
    const options = { limit: 2, cursor: null };
    const made = await storage.deliveries.backfill!(acme, { beforeEventId: 'evt_~' }, options);
    assert.equal(made.deliveries, 2);
    return async (reopened) => {
      const rest = { ...options, cursor: made.cursor };
      const more = await reopened.deliveries.backfill!(acme, { beforeEventId: 'evt_~' }, rest);
      assert.equal(more.deliveries, 1);
      assert.equal((await claimAll(reopened)).length, 3);
    };
  },

  'documents outlive the process: as they were created or written; and what is deleted is gone': async ({
    storage,
    advance,
  }) => {
    // A storage that keeps none has nothing to lose.
    if (!storage.supports.documents) return async () => {};
    const documents = documentsOf(storage);
    const [kept, written, gone] = [
      await created(documents, { body: oddTexts[0]! }),
      await created(documents),
      await created(documents),
    ];
    await created(documents, { tenantId: globex });
    await advance(hourMs);
    await documents.put(over(written, { body: oddTexts[1]!, dueInMs: hourMs }), 1);
    await documents.put(over(gone, { body: null }), 1);
    const before = await listedOfAll(documents);
    return async (reopened) => {
      const after = documentsOf(reopened);
      same(await listedOfAll(after), before);
      assert.equal(await read(after, gone), undefined);
      assert.equal(await after.put(over(written), 1), undefined);
      assert.equal((await after.put(over(written), 2))?.version, 3);
      assert.equal(await after.put(over(kept), 0), undefined);
      // The newest comes first in the next process, too.
      const [first] = [await created(after), await created(after, { tenantId: globex })];
      same((await listed(after))[0], first);
    };
  },

  'the lease of a document outlives the process that has it, and its version stays good': async ({
    storage,
    advance,
  }) => {
    if (!storage.supports.documents) return async () => {};
    const documents = documentsOf(storage);
    await created(documents, { dueInMs: 0 });
    const kept = await leased(documents, 10 * hourMs);
    await created(documents, { dueInMs: 0 });
    const lost = await leased(documents, hourMs);
    return async (reopened) => {
      const after = documentsOf(reopened);
      assert.equal(await after.due(kind, hourMs), undefined);
      await advance(hourMs);
      const taken = await leased(after, hourMs);
      same([taken.id, taken.version], [lost.id, 3]);
      assert.equal(await after.put(over(lost), lost.version), undefined);
      assert.equal((await after.put(over(kept), kept.version))?.version, 3);
    };
  },
});
