import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createIds, firstEventId } from '@posthorn/core';
import { ok, same } from '../assertions.js';
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
  newWebhookId,
  publish,
  rejectsWith,
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
        assert.equal(await webhooks.isTaken(gone.id), false);
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

  'API keys outlive the process, and what was revoked stays so': async ({ storage, advance }) => {
    const { apiKeys } = storage;
    if (!apiKeys) return async () => {};
    const create = () =>
      apiKeys.create({
        id: `key_${newWebhookId().slice(3)}`,
        tenantId: acme,
        name: 'Deployment',
        mode: 'live',
        scopes: ['webhooks:read'],
        expiresAt: null,
        hash: randomBytes(32).toString('base64url'),
      });
    const [used, revoked] = [await create(), await create()];
    await advance(hourMs);
    await apiKeys.touch(used.id);
    await apiKeys.revoke(acme, revoked.id);
    const { items } = await apiKeys.list(acme, { limit: 10 });
    return async (reopened) => {
      same((await reopened.apiKeys?.list(acme, { limit: 10 }))?.items, items);
      assert.equal(await reopened.apiKeys?.find(revoked.id), undefined);
      const lastUsedAt = (await reopened.apiKeys?.find(used.id))?.lastUsedAt;
      assert.equal(lastUsedAt && lastUsedAt.getTime() - used.createdAt.getTime() >= hourMs, true);
    };
  },

  'replays outlive the process, with where they are and what they have counted': async ({
    storage,
    advance,
  }) => {
    const { replays } = storage;
    if (!replays) return async () => {};
    const ids = createIds();
    const selection = { status: ['dead' as const], beforeEventId: firstEventId(Date.now()) };
    const [first, second] = [1, 2].map(() => ({
      id: ids.replay(),
      tenantId: acme,
      selection,
      perSecond: 10,
    }));
    await replays.create(first!);
    const claimed = await replays.claim(hourMs);
    ok(claimed, 'a replay is due at once');
    await replays.save(claimed, { replayed: 3, skipped: 1, cursor: 'cursor 1', delayMs: hourMs });
    await replays.create(second!);
    await replays.cancel(acme, second!.id);
    const before = await Promise.all([first!, second!].map(({ id }) => replays.get(acme, id)));
    return async (reopened) => {
      const after = [first!, second!].map(({ id }) => reopened.replays?.get(acme, id));
      same(await Promise.all(after), before);
      assert.equal(await reopened.replays?.claim(hourMs), undefined);
      await advance(hourMs);
      const next = await reopened.replays?.claim(hourMs);
      same([next?.replay.id, next?.cursor, next?.replay.replayed], [first!.id, 'cursor 1', 3]);
    };
  },
});
