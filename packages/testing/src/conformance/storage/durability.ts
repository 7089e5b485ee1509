import assert from 'node:assert/strict';
import { rejectsWith, same } from '../assertions.js';
import { created, documentsOf, kind, leased, listed, listedOfAll, over, read } from './document-sample.js';
import type { StorageRule } from './harness.js';
import { oddTexts } from './odd-values.js';
import { durabilityRulesOf } from './reopen.js';
import {
  acme,
  claimAll,
  deliverAll,
  deliveriesOf,
  globex,
  hourMs,
  idsOf,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  publish,
  sorted,
} from './sample.js';

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
