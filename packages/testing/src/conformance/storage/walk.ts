import assert from 'node:assert/strict';
import {
  type Claim,
  type DeliveryStatus,
  deliveryId,
  type NewEvent,
  type Next,
  type Published,
  type WebhookRecord,
} from '@posthorn/core';
import { seededRandom } from '../../seeded.js';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claimAll,
  claimOptions,
  deliveriesOf,
  globex,
  hourMs,
  newBinding,
  newEvent,
  newWebhook,
  release,
  result,
  settleAll,
  sorted,
} from './sample.js';

/*
 * A random walk beside a model that is as plain as can be: what the storage answers must be what the model knows.
 * Each seed is one walk, the same on every machine. All durations are whole hours, so that a clock that runs by
 * itself changes nothing.
 */

const walks = 10;
const stepsOfAWalk = 200;

interface Known {
  readonly event: NewEvent;
  readonly webhook: KnownWebhook;
  status: DeliveryStatus;
  attempts: number;
  attemptsBefore: number;
  uncounted: number;
  recorded: number;
  /** When it is due while pending, when its lease ends while sending. */
  at: number;
  token: string | undefined;
  /** Whether its attempt has begun under this lease, and whether one did whose worker was lost. */
  isBegun: boolean;
  isLost: boolean;
}

interface KnownWebhook {
  record: WebhookRecord;
  isDeleted: boolean;
}

const isFinished = ({ status }: Known): boolean => status !== 'pending' && status !== 'sending';

async function walk(under: StorageUnderTest, seed: number): Promise<void> {
  const { storage, advance } = under;
  const chance = seededRandom(seed);
  /** A whole number below `n`. */
  const random = (n: number): number => Math.floor(chance() * n);
  const pick = <T>(list: readonly T[]): T | undefined => list[random(list.length)];
  let now = 0;
  const webhooks: KnownWebhook[] = [];
  const deliveries = new Map<string, Known>();
  const published: { event: NewEvent; result: Published; at: number }[] = [];
  const held: Claim[] = [];

  const living = (): KnownWebhook[] => webhooks.filter(({ isDeleted }) => !isDeleted);
  const isClaimable = ({ webhook, status, at }: Known): boolean =>
    !webhook.isDeleted &&
    webhook.record.isActive &&
    (status === 'pending' || status === 'sending') &&
    at <= now;
  const holds = ({ deliveryId: id, token }: Claim): boolean => deliveries.get(id)?.token === token;

  function move(known: Known, status: DeliveryStatus, at = now): void {
    Object.assign(known, { status, at, token: undefined, isBegun: false });
  }

  const steps: readonly (() => Promise<void>)[] = [
    async function createWebhook() {
      if (living().length >= 8) return;
      const record = await storage.webhooks.create(
        newWebhook({
          tenantId: pick([acme, globex])!,
          eventTypes: pick([['order.created'], ['order.*', '*.created'], ['*'], ['invoice.*']])!,
          channels: Array.from({ length: 1 + random(2) }, () => newBinding()),
          isActive: random(4) > 0,
        }),
      );
      webhooks.push({ record, isDeleted: false });
    },

    async function pauseOrResume() {
      const known = pick(living());
      if (!known) return;
      const { tenantId, id, version, isActive } = known.record;
      assert.equal(await storage.webhooks.update(tenantId, id, version + 1, { isActive }), undefined);
      const record = await storage.webhooks.update(tenantId, id, version, { isActive: !isActive });
      ok(record, `${id} cannot be updated at version ${version}`);
      known.record = record;
    },

    async function deleteWebhook() {
      const known = random(8) === 0 ? pick(webhooks) : undefined;
      if (!known) return;
      const { tenantId, id } = known.record;
      assert.equal(await storage.webhooks.delete(tenantId, id), !known.isDeleted);
      known.isDeleted = true;
      for (const delivery of deliveries.values()) {
        if (delivery.webhook === known && !isFinished(delivery)) move(delivery, 'cancelled');
      }
    },

    async function publish() {
      const old = random(3) === 0 ? pick(published) : undefined;
      const events = Array.from({ length: 1 + random(4) }, () =>
        newEvent({
          tenantId: pick([acme, globex])!,
          type: pick(['order.created', 'order.paid', 'invoice.created'])!,
        }),
      );
      const results = events.map((event) => {
        const matching = living().filter(
          ({ record }) =>
            record.isActive &&
            record.tenantId === event.tenantId &&
            record.eventTypes.some((pattern) => event.keys.includes(pattern)),
        );
        const ids = matching.flatMap((webhook) =>
          webhook.record.channels.map((binding) => {
            const id = deliveryId(event.id, binding.id);
            const counts = { attempts: 0, attemptsBefore: 0, uncounted: 0, recorded: 0 };
            const fresh = { status: 'pending', ...counts, isBegun: false, isLost: false } as const;
            deliveries.set(id, { event, webhook, ...fresh, at: now, token: undefined });
            return id;
          }),
        );
        return { eventId: event.id, deliveries: ids.length };
      });
      const call = old ? [old.event, ...events] : events;
      const answer = await storage.deliveries.publish(call);
      same(answer.published, old ? [old.result, ...results] : results);
      published.push(...events.map((event, i) => ({ event, result: results[i]!, at: now })));
    },

    async function claim() {
      const [limit, webhookLimit] = [1 + random(20), 1 + random(8)];
      const leaseMs = (1 + random(3)) * hourMs;
      const claimable = [...deliveries.values()].filter(isClaimable).length;
      const isBegun = random(2) === 0;
      const claims = await storage.deliveries.claim(claimOptions({ limit, webhookLimit, leaseMs, isBegun }));
      ok(claims.length <= limit, `${claims.length} claims with a limit of ${limit}`);
      ok(claims.length > 0 || claimable === 0, `nothing claimed where ${claimable} are due`);
      const counts = new Map<string, number>();
      for (const claimed of claims) {
        const known = deliveries.get(claimed.deliveryId);
        ok(known && isClaimable(known), `${claimed.deliveryId} is claimed: ${known?.status}`);
        known.isLost ||= known.isBegun;
        const hasBegun = claimed.begunAt !== undefined;
        const lease = { status: 'sending', at: now + leaseMs, token: claimed.token, isBegun: hasBegun };
        Object.assign(known, lease);
        assert.equal(claimed.attempt, known.attempts + 1);
        assert.equal(claimed.lostAt !== undefined, known.isLost);
        const mayBegin = isBegun && !known.isLost && known.attempts === known.attemptsBefore;
        ok(!hasBegun || mayBegin, 'it begins with its claim where it may');
        if (hasBegun) known.attempts += 1;
        assert.equal(claimed.attemptsBefore, known.attemptsBefore);
        assert.equal(claimed.uncounted ?? 0, known.uncounted);
        assert.equal(claimed.event.id, known.event.id);
        assert.equal(claimed.event.tenantId, claimed.webhook.tenantId);
        ok(claimed.binding, 'the binding is there');
        counts.set(claimed.webhook.id, (counts.get(claimed.webhook.id) ?? 0) + 1);
        held.push(claimed);
      }
      const most = Math.max(0, ...counts.values());
      ok(most <= webhookLimit, `${most} claims of a webhook with a limit of ${webhookLimit}`);
    },

    async function begin() {
      const claims = [...new Set(Array.from({ length: 1 + random(8) }, () => pick(held)))].filter(
        (claimed) => claimed !== undefined,
      );
      const leftMs = random(2) * hourMs;
      const expected = claims.filter(
        (claimed) => holds(claimed) && deliveries.get(claimed.deliveryId)!.at >= now + leftMs + hourMs,
      );
      // The clock may run by itself: a lease that ends within the hour is no matter for this walk.
      const { begun } = await storage.deliveries.begin(expected, leftMs);
      same(
        begun.map(({ token }) => token),
        expected.map(({ token }) => token),
      );
      for (const { deliveryId: id } of expected) {
        const known = deliveries.get(id)!;
        if (!known.isBegun) known.attempts += 1;
        known.isBegun = true;
      }
    },

    async function settle() {
      const claims = [...new Set(Array.from({ length: 1 + random(8) }, () => pick(held)))].filter(
        (claimed) => claimed !== undefined,
      );
      const fates: readonly Exclude<Next, { status: 'split' }>[] = [
        { status: 'delivered' },
        { status: 'dead' },
        { status: 'cancelled' },
        { status: 'released' },
        { status: 'pending', delayMs: random(4) * hourMs },
        { status: 'pending', delayMs: random(4) * hourMs, isUncounted: true },
      ];
      const nexts = claims.map(() => pick(fates)!);
      const settlements = claims.map((claimed, i) =>
        nexts[i]!.status === 'released' ? release(claimed) : result(claimed, nexts[i]!),
      );
      const expected = claims.map((claimed, i) => {
        const known = deliveries.get(claimed.deliveryId);
        if (!known || !holds(claimed)) return false;
        const next = nexts[i]!;
        if (next.status === 'released') {
          if (known.isBegun) known.attempts -= 1;
          move(known, 'pending');
        } else {
          known.recorded += 1;
          known.isLost = false;
          if (next.status === 'pending' && next.isUncounted) known.uncounted += 1;
          move(known, next.status, next.status === 'pending' ? now + next.delayMs : now);
        }
        return true;
      });
      same(await storage.deliveries.settle(settlements), expected);
    },

    async function renew() {
      const claims = [...new Set([pick(held), pick(held), pick(held)])].filter((one) => one !== undefined);
      const leaseMs = (1 + random(3)) * hourMs;
      const expected = claims.filter(holds);
      for (const claimed of expected) deliveries.get(claimed.deliveryId)!.at = now + leaseMs;
      const renewed = await storage.deliveries.renew(claims, leaseMs);
      assert.deepEqual(sorted(renewed.map(({ token }) => token)), sorted(expected.map(({ token }) => token)));
    },

    async function transition() {
      const tenantId = pick([acme, globex])!;
      const status = pick(['pending', 'cancelled'] as const)!;
      const ids = [...deliveries.keys()].filter(() => random(10) === 0);
      const expected = ids.filter((id) => {
        const known = deliveries.get(id)!;
        const may =
          known.event.tenantId === tenantId &&
          (status === 'cancelled'
            ? !isFinished(known)
            : known.status !== 'sending' && !known.webhook.isDeleted);
        if (!may) return false;
        if (status === 'pending') Object.assign(known, { attemptsBefore: known.attempts, uncounted: 0 });
        else known.isLost = false;
        move(known, status);
        return true;
      });
      assert.deepEqual(sorted(await storage.log.transition(tenantId, ids, status)), sorted(expected));
    },

    async function prune() {
      if (random(6) > 0) return;
      const olderThanMs = (1 + random(20)) * hourMs;
      const old = published.filter(({ event, at }) => {
        const ofEvent = [...deliveries.values()].filter((known) => known.event === event);
        return at + olderThanMs <= now && ofEvent.every(isFinished);
      });
      assert.equal(await storage.log.prune({ olderThanMs, limit: 10_000 }), old.length);
      for (const gone of old) {
        published.splice(published.indexOf(gone), 1);
        for (const [id, { event }] of deliveries) if (event === gone.event) deliveries.delete(id);
      }
    },

    async function wait() {
      const ms = (1 + random(2)) * hourMs;
      await advance(ms);
      now += ms;
    },
  ];

  async function compare(): Promise<void> {
    for (const tenantId of [acme, globex]) {
      const stored = await deliveriesOf(storage, tenantId);
      const seen = stored.map(
        ({ id, status, attempts, attemptsBefore }) => `${id} ${status} ${attempts} ${attemptsBefore}`,
      );
      const expected = [...deliveries]
        .filter(([, { event }]) => event.tenantId === tenantId)
        .map(([id, known]) => `${id} ${known.status} ${known.attempts} ${known.attemptsBefore}`);
      assert.deepEqual(sorted(seen), sorted(expected));
    }
    const looked = pick([...deliveries]);
    if (!looked) return;
    const [id, { event, recorded }] = looked;
    assert.equal((await storage.log.attempts(event.tenantId, id)).length, recorded);
  }

  const trail: string[] = [];
  try {
    for (let i = 0; i < stepsOfAWalk; i++) {
      const step = pick(steps)!;
      trail.push(step.name);
      await step();
      if (i % 20 === 19) await compare();
    }
    await end();
    await compare();
  } catch (error) {
    const last = trail.slice(-5).join(', ');
    throw new Error(`walk ${seed}, step ${trail.length} (… ${last}): ${(error as Error).message}`, {
      cause: error,
    });
  }

  /** All that is not finished can be delivered in the end. */
  async function end(): Promise<void> {
    for (const { record, isDeleted } of webhooks) {
      if (isDeleted || record.isActive) continue;
      await storage.webhooks.update(record.tenantId, record.id, record.version, { isActive: true });
    }
    await advance(10 * hourMs);
    const claims = await claimAll(storage);
    const unfinished = [...deliveries].filter(([, known]) => !isFinished(known));
    assert.deepEqual(sorted(claims.map(({ deliveryId: id }) => id)), sorted(unfinished.map(([id]) => id)));
    await settleAll(
      storage,
      claims.map((claimed) => result(claimed, 'delivered')),
    );
    for (const [, known] of unfinished) {
      known.attempts += 1;
      known.recorded += 1;
      move(known, 'delivered');
    }
  }
}

export const walkRules: readonly StorageRule[] = topic<StorageUnderTest>(
  'walk',
  Object.fromEntries(
    Array.from({ length: walks }, (_, seed) => [
      `${stepsOfAWalk} random steps go as the model says, with seed ${seed}`,
      (under: StorageUnderTest) => walk(under, seed),
    ]),
  ),
);
