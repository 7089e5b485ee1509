import assert from 'node:assert/strict';
import type { Claim, NextState } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import { digestOf, gathering } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  hourMs,
  minuteMs,
  one,
  oneDelivery,
  release,
  result,
  take,
} from './sample.js';

/*
 * How long a delivery has been deferred decides when its receiver is given up. Only the storage knows that: each
 * deferral may have come from another process.
 */

/** Whether the storage reports deferrals, judged by the claim of a delivery that was never deferred. */
function reportsDeferrals({ deferredSince }: Claim): boolean {
  ok(deferredSince == null, `a delivery that was never deferred has deferredSince ${deferredSince}`);
  return deferredSince !== undefined;
}

/** Resolves to the storage's time, from a `begin` without claims. */
const timeOf = async ({ storage }: StorageUnderTest): Promise<number> =>
  (await storage.deliveries.begin([], 0)).at.getTime();

/** Passes if the claim reports that the delivery has been deferred for `ms`, within a minute. */
async function isDeferredFor(under: StorageUnderTest, { deferredSince }: Claim, ms: number): Promise<void> {
  ok(deferredSince instanceof Date, `deferredSince must be a Date, not ${deferredSince}`);
  const forMs = (await timeOf(under)) - deferredSince.getTime();
  ok(Math.abs(forMs - ms) < minuteMs, `deferred for ${forMs} ms: expected ${ms}`);
}

/** Claims the delivery, and settles the claim. */
async function settleNext({ storage }: StorageUnderTest, next: NextState): Promise<void> {
  const claimed = one(await claim(storage));
  const settlement = next.status === 'released' ? release(claimed, next.delayMs) : result(claimed, next);
  same(await storage.deliveries.settle([settlement]), [true]);
}

/** Makes a due delivery that has been deferred for two hours. Undefined if the storage does not report deferrals. */
async function defer(under: StorageUnderTest): Promise<{ readonly deliveryId: string } | undefined> {
  const { storage, advance } = under;
  const { deliveryId } = await oneDelivery(storage);
  const first = one(await claim(storage));
  if (!reportsDeferrals(first)) return undefined;
  same(await storage.deliveries.settle([release(first, hourMs)]), [true]);
  await advance(hourMs);
  await settleNext(under, { status: 'released', delayMs: hourMs });
  await advance(hourMs);
  return { deliveryId };
}

export const deferralRules: readonly StorageRule[] = topic<StorageUnderTest>('settle', {
  'a claim reports since when a delivery has been released with delays': async (under) => {
    const { storage, advance } = under;
    await oneDelivery(storage);
    const first = one(await claim(storage));
    if (!reportsDeferrals(first)) return;
    same(await storage.deliveries.settle([release(first, hourMs)]), [true]);
    for (let hours = 1; hours <= 3; hours++) {
      await advance(hourMs);
      const again = one(await claim(storage));
      await isDeferredFor(under, again, hours * hourMs);
      same(await storage.deliveries.settle([release(again, hourMs)]), [true]);
    }
  },

  'each claim reports since when a delivery is deferred, until there is a result': async (under) => {
    const { storage, advance } = under;
    if (!(await defer(under))) return;
    await take(storage, { leaseMs: hourMs });
    await advance(hourMs);
    await isDeferredFor(under, one(await claim(storage)), 3 * hourMs);
  },

  'a release without a delay keeps a deferral': async (under) => {
    const { storage } = under;
    if (!(await defer(under))) return;
    await settleNext(under, { status: 'released' });
    await settleNext(under, { status: 'released', delayMs: 0 });
    await isDeferredFor(under, one(await claim(storage)), 2 * hourMs);
  },

  'a release without a delay does not start a deferral': async (under) => {
    const { storage } = under;
    await oneDelivery(storage);
    await settleNext(under, { status: 'released' });
    reportsDeferrals(one(await claim(storage)));
  },

  'a failure ends a deferral, and so does the split of a digest': async (under) => {
    const { storage, advance } = under;
    if (!(await defer(under))) return;
    for (const next of [{ status: 'pending', delayMs: hourMs }, { status: 'split' }] as const) {
      await settleNext(under, next);
      await advance(hourMs);
      const claimed = one(await claim(storage));
      assert.equal(claimed.deferredSince, null, `after ${next.status}`);
      // The next deferral starts from here.
      await storage.deliveries.settle([release(claimed, hourMs)]);
      await advance(hourMs);
      const again = one(await claim(storage));
      await isDeferredFor(under, again, hourMs);
      await storage.deliveries.settle([release(again)]);
    }
  },

  'a failure of a busy receiver does not end a deferral': async (under) => {
    const { storage, advance } = under;
    if (!(await defer(under))) return;
    await settleNext(under, { status: 'pending', delayMs: hourMs, isRateLimited: true });
    await advance(hourMs);
    await isDeferredFor(under, one(await claim(storage)), 3 * hourMs);
  },

  'a failure of a busy receiver does not start a deferral': async (under) => {
    const { storage } = under;
    await oneDelivery(storage);
    await settleNext(under, { status: 'pending', delayMs: 0, isRateLimited: true });
    reportsDeferrals(one(await claim(storage)));
  },

  'a manual retry of a waiting or dead delivery ends its deferral': async (under) => {
    const { storage, advance } = under;
    const known = await defer(under);
    if (!known) return;
    for (const isDead of [false, true]) {
      await settleNext(under, isDead ? { status: 'dead' } : { status: 'released', delayMs: hourMs });
      same(await storage.log.transition(acme, [known.deliveryId], 'pending'), [known.deliveryId]);
      const claimed = one(await claim(storage));
      assert.equal(claimed.deferredSince, null, isDead ? 'it was dead' : 'it was waiting');
      await storage.deliveries.settle([release(claimed, hourMs)]);
      await advance(hourMs);
    }
  },

  'the time in which a deferred delivery was due and unclaimed does not count': async (under) => {
    const { storage, advance } = under;
    const known = await defer(under);
    if (!known) return;
    // For example, its webhook is paused for a night, or no worker runs.
    await advance(10 * hourMs);
    const claimed = one(await claim(storage));
    await isDeferredFor(under, claimed, 2 * hourMs);
    await storage.deliveries.settle([release(claimed, hourMs)]);
    await advance(5 * hourMs);
    await isDeferredFor(under, one(await claim(storage)), 3 * hourMs);
  },
});

export const deferralDigestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a claim of a digest reports since when it is deferred, and its halves are not deferred': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 4);
    if (!reportsDeferrals(claimed)) return;
    await storage.deliveries.settle([release(claimed, hourMs)]);
    await advance(hourMs);
    const again = one(await claim(storage));
    await isDeferredFor(under, again, hourMs);
    await storage.deliveries.settle([release(again, hourMs)]);
    await advance(hourMs);
    await settleNext(under, { status: 'split' });
    same(
      (await claimAll(storage)).map(({ deferredSince, digest }) => [deferredSince, digest?.length]),
      [
        [null, 2],
        [null, 2],
      ],
    );
  },

  'a manual retry of a digest ends its deferral': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 2);
    if (!reportsDeferrals(claimed)) return;
    await storage.deliveries.settle([release(claimed, hourMs)]);
    await advance(hourMs / 2);
    const { items } = await storage.log.deliveries(acme, { limit: 2 });
    await storage.log.transition(acme, [items[0]!.id], 'pending');
    assert.equal(one(await claim(storage)).deferredSince, null);
  },
});
