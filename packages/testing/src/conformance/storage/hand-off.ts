import assert from 'node:assert/strict';
import type { Claim, ClaimOptions, NewEvent } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  asRead,
  claim,
  claimAll,
  claimOptions,
  deliveryOf,
  eventIdsOf,
  hourMs,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

/** Publishes with `prefetch`. A storage may return claims of some of the new deliveries, or of none. */
async function handOff(
  { storage }: StorageUnderTest,
  events: readonly NewEvent[],
  overrides: Partial<ClaimOptions> = {},
): Promise<readonly Claim[]> {
  const prefetch = claimOptions({ isBegun: true, ...overrides });
  const { published, claims } = await storage.deliveries.publish(events, { prefetch });
  assert.equal(published.length, events.length);
  return claims;
}

export const handOffRules: readonly StorageRule[] = topic<StorageUnderTest>('hand-off', {
  'deliveries that are returned as claims are leased, the others are not, and none is lost': async (
    under,
  ) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook({ channels: [newBinding(), newBinding()] }));
    const events = newEvents(10);
    const handed = await handOff(under, events);
    const claimed = await claimAll(storage);
    const ids = [...handed, ...claimed].map(({ deliveryId }) => deliveryId);
    assert.equal(new Set(ids).size, 20);
    assert.equal(ids.length, 20, 'a returned claim is not claimed again');
    assert.deepEqual(sorted([...new Set(eventIdsOf([...handed, ...claimed]))]), sorted(idsOf(events)));
    for (const { deliveryId, begunAt } of handed) {
      const { status, attempts } = await deliveryOf(storage, deliveryId);
      assert.deepEqual([status, attempts], ['sending', begunAt ? 1 : 0]);
    }
  },

  'a returned claim has everything that a claim has': async (under) => {
    const webhook = await under.storage.webhooks.create(newWebhook());
    const event = newEvent({ subject: { type: 'order', id: 'o1' }, idempotencyKey: 'k', fingerprint: 'f' });
    const handed = await handOff(under, [event]);
    const claimed = one([...handed, ...(await claimAll(under.storage))]);
    same(claimed.event, asRead(event));
    same(claimed.binding, one(webhook.channels));
    same(claimed.webhook.secrets, webhook.secrets);
    assert.deepEqual([claimed.attempt, claimed.attemptsBeforeRetry], [1, 0]);
  },

  'a returned claim can be renewed, settled and released': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const handed = await handOff(under, newEvents(6));
    const renewed = await storage.deliveries.renew(handed, hourMs);
    assert.equal(renewed.length, handed.length);
    await settleAll(
      storage,
      handed.map((claimed, i) => (i % 2 === 0 ? result(claimed, 'delivered') : release(claimed))),
    );
    const delivered = handed.filter((_, i) => i % 2 === 0).length;
    assert.equal((await claimAll(storage)).length, 6 - delivered);
  },

  'a returned claim can be claimed again when its lease ends': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const handed = await handOff(under, newEvents(4), { leaseMs: hourMs });
    await claimAll(storage, { leaseMs: 100 * hourMs });
    await advance(hourMs - minuteMs);
    same(await claim(storage), []);
    await advance(minuteMs);
    const taken = await claimAll(storage);
    assert.equal(taken.length, handed.length);
    for (const stale of handed) {
      same(await storage.deliveries.settle([result(stale, 'delivered')]), [false]);
    }
  },

  'at most `limit` claims are returned': async (under) => {
    await under.storage.webhooks.create(newWebhook());
    const handed = await handOff(under, newEvents(10), { limit: 3 });
    ok(handed.length <= 3, `${handed.length} claims with a limit of 3`);
    assert.equal((await claimAll(under.storage)).length, 10 - handed.length);
  },

  'at most the room of a webhook is returned, or the limit where it has no room of its own': async (
    under,
  ) => {
    const { storage } = under;
    const busy = await storage.webhooks.create(newWebhook());
    const idle = await storage.webhooks.create(newWebhook());
    const handed = await handOff(under, newEvents(10), {
      webhookLimit: 4,
      webhookRoom: new Map([[busy.id, 1]]),
    });
    const of = (id: string) => handed.filter(({ webhook }) => webhook.id === id).length;
    ok(of(busy.id) <= 1, `${of(busy.id)} claims with room for one`);
    ok(of(idle.id) <= 4, `${of(idle.id)} claims with room for four`);
    assert.equal((await claimAll(storage)).length, 20 - handed.length);
  },

  'at most the room of a tenant is returned, or the limit where it has no room of its own': async (under) => {
    const { storage } = under;
    for (let i = 0; i < 4; i++) await storage.webhooks.create(newWebhook());
    const limited = await handOff(under, newEvents(2), { tenantLimit: 4 });
    ok(limited.length <= 4, `${limited.length} claims with room for four`);
    await claimAll(storage);
    const handed = await handOff(under, newEvents(2), { tenantLimit: 4, tenantRoom: new Map([['acme', 3]]) });
    ok(handed.length <= 3, `${handed.length} claims with room for three`);
    assert.equal((await claimAll(storage)).length, 8 - handed.length);
  },

  'a returned claim that is not begun has no attempt': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const handed = await handOff(under, newEvents(3), { isBegun: false, leaseMs: hourMs });
    for (const { deliveryId, attempt, begunAt } of handed) {
      same([attempt, begunAt], [1, undefined]);
      assert.equal((await deliveryOf(storage, deliveryId)).attempts, 0);
    }
    await advance(hourMs);
    for (const { attempt, lostAt } of await claimAll(storage)) same([attempt, lostAt], [1, undefined]);
  },

  'the attempt of a claim that is returned as begun began at the publication, and is lost with its worker':
    async (under) => {
      const { storage, advance } = under;
      await storage.webhooks.create(newWebhook());
      const prefetch = claimOptions({ leaseMs: hourMs, isBegun: true });
      const { claims, at } = await storage.deliveries.publish(newEvents(3), { prefetch });
      ok(at instanceof Date, 'a Date');
      const begun = claims.filter(({ begunAt }) => begunAt);
      for (const { begunAt } of begun) same(begunAt, at);
      await storage.deliveries.begin(begun, 0);
      for (const { deliveryId } of begun) {
        assert.equal((await deliveryOf(storage, deliveryId)).attempts, 1, 'it must have begun already');
      }
      await advance(hourMs);
      const lost = new Set(begun.map(({ deliveryId }) => deliveryId));
      for (const { deliveryId, attempt, lostAt } of await claimAll(storage)) {
        same([attempt, lostAt], lost.has(deliveryId) ? [2, at] : [1, undefined]);
      }
    },

  'an event that was published before returns no claims': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const event = newEvent({ idempotencyKey: 'k', fingerprint: 'f' });
    const first = [...(await handOff(under, [event])), ...(await claimAll(storage))];
    assert.equal(first.length, 1);
    same(await handOff(under, [event]), []);
    same(await handOff(under, [newEvent({ idempotencyKey: 'k', fingerprint: 'f' })]), []);
    await storage.deliveries.settle([result(first[0]!, 'delivered')]);
    same(await handOff(under, [event, event]), []);
    same(await claimAll(storage), []);
  },

  'a paused webhook gets no claims': async (under) => {
    await under.storage.webhooks.create(newWebhook({ isActive: false }));
    same(await handOff(under, newEvents(3)), []);
  },
});
