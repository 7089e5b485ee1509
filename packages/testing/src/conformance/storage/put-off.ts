import assert from 'node:assert/strict';
import type { Claim, NextState } from '@posthorn/core';
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
 * How long a delivery has been put off decides when its receiver is given up, and nobody but the storage knows it: each
 * time another process may have put it off.
 */

/** Whether the storage tells it, as the claim of a delivery that was never put off says. */
function tells({ putOffSince }: Claim): boolean {
  ok(putOffSince == null, 'what was never put off is not put off');
  return putOffSince !== undefined;
}

/** The storage's time, which it tells to who begins nothing. */
const timeOf = async ({ storage }: StorageUnderTest): Promise<number> =>
  (await storage.deliveries.begin([], 0)).at.getTime();

/** Passes where the claim says that the delivery has been put off for so long, within a minute. */
async function isPutOffFor(under: StorageUnderTest, { putOffSince }: Claim, ms: number): Promise<void> {
  ok(putOffSince instanceof Date, `putOffSince is ${putOffSince}`);
  const forMs = (await timeOf(under)) - putOffSince.getTime();
  ok(Math.abs(forMs - ms) < minuteMs, `put off for ${forMs} ms and not ${ms}`);
}

/** Claims the delivery, and settles that. */
async function settleNext({ storage }: StorageUnderTest, next: NextState): Promise<void> {
  const claimed = one(await claim(storage));
  const settlement = next.status === 'released' ? release(claimed, next.delayMs) : result(claimed, next);
  same(await storage.deliveries.settle([settlement]), [true]);
}

/** A delivery that has been put off for two hours and is due; undefined where the storage does not tell such things. */
async function putOff(under: StorageUnderTest): Promise<{ readonly deliveryId: string } | undefined> {
  const { storage, advance } = under;
  const { deliveryId } = await oneDelivery(storage);
  const first = one(await claim(storage));
  if (!tells(first)) return undefined;
  same(await storage.deliveries.settle([release(first, hourMs)]), [true]);
  await advance(hourMs);
  await settleNext(under, { status: 'released', delayMs: hourMs });
  await advance(hourMs);
  return { deliveryId };
}

export const putOffRules: readonly StorageRule[] = topic<StorageUnderTest>('settle', {
  'a claim says since when it was released with delays, one after the other': async (under) => {
    const { storage, advance } = under;
    await oneDelivery(storage);
    const first = one(await claim(storage));
    if (!tells(first)) return;
    same(await storage.deliveries.settle([release(first, hourMs)]), [true]);
    for (let hours = 1; hours <= 3; hours++) {
      await advance(hourMs);
      const again = one(await claim(storage));
      await isPutOffFor(under, again, hours * hourMs);
      same(await storage.deliveries.settle([release(again, hourMs)]), [true]);
    }
  },

  'each claim says since when a delivery is put off, until there is a result': async (under) => {
    const { storage, advance } = under;
    if (!(await putOff(under))) return;
    await take(storage, { leaseMs: hourMs });
    await advance(hourMs);
    await isPutOffFor(under, one(await claim(storage)), 3 * hourMs);
  },

  'what is released without a delay is put off as it was': async (under) => {
    const { storage } = under;
    if (!(await putOff(under))) return;
    await settleNext(under, { status: 'released' });
    await settleNext(under, { status: 'released', delayMs: 0 });
    await isPutOffFor(under, one(await claim(storage)), 2 * hourMs);
  },

  'what is released without a delay is not put off by that': async (under) => {
    const { storage } = under;
    await oneDelivery(storage);
    await settleNext(under, { status: 'released' });
    tells(one(await claim(storage)));
  },

  'a failure ends that a delivery is put off, and so does what splits a digest': async (under) => {
    const { storage, advance } = under;
    if (!(await putOff(under))) return;
    for (const next of [{ status: 'pending', delayMs: hourMs }, { status: 'split' }] as const) {
      await settleNext(under, next);
      await advance(hourMs);
      const claimed = one(await claim(storage));
      assert.equal(claimed.putOffSince, null, `after ${next.status}`);
      // From then on it begins anew.
      await storage.deliveries.settle([release(claimed, hourMs)]);
      await advance(hourMs);
      const again = one(await claim(storage));
      await isPutOffFor(under, again, hourMs);
      await storage.deliveries.settle([release(again)]);
    }
  },

  'a failure of a busy receiver does not end that a delivery is put off': async (under) => {
    const { storage, advance } = under;
    if (!(await putOff(under))) return;
    await settleNext(under, { status: 'pending', delayMs: hourMs, isBusy: true });
    await advance(hourMs);
    await isPutOffFor(under, one(await claim(storage)), 3 * hourMs);
  },

  'a failure of a busy receiver does not put a delivery off': async (under) => {
    const { storage } = under;
    await oneDelivery(storage);
    await settleNext(under, { status: 'pending', delayMs: 0, isBusy: true });
    tells(one(await claim(storage)));
  },

  'what is started anew by hand is not put off, whether it waits or is dead': async (under) => {
    const { storage, advance } = under;
    const known = await putOff(under);
    if (!known) return;
    for (const isDead of [false, true]) {
      await settleNext(under, isDead ? { status: 'dead' } : { status: 'released', delayMs: hourMs });
      same(await storage.log.transition(acme, [known.deliveryId], 'pending'), [known.deliveryId]);
      const claimed = one(await claim(storage));
      assert.equal(claimed.putOffSince, null, isDead ? 'it was dead' : 'it was waiting');
      await storage.deliveries.settle([release(claimed, hourMs)]);
      await advance(hourMs);
    }
  },

  'the time in which it was due and nobody claimed it does not count': async (under) => {
    const { storage, advance } = under;
    const known = await putOff(under);
    if (!known) return;
    // Its webhook is paused for a night, say, or no worker runs.
    await advance(10 * hourMs);
    const claimed = one(await claim(storage));
    await isPutOffFor(under, claimed, 2 * hourMs);
    await storage.deliveries.settle([release(claimed, hourMs)]);
    await advance(5 * hourMs);
    await isPutOffFor(under, one(await claim(storage)), 3 * hourMs);
  },
});

export const putOffDigestRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a claim of a digest says since when that is put off, and its halves begin anew': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 4);
    if (!tells(claimed)) return;
    await storage.deliveries.settle([release(claimed, hourMs)]);
    await advance(hourMs);
    const again = one(await claim(storage));
    await isPutOffFor(under, again, hourMs);
    await storage.deliveries.settle([release(again, hourMs)]);
    await advance(hourMs);
    await settleNext(under, { status: 'split' });
    same(
      (await claimAll(storage)).map(({ putOffSince, digest }) => [putOffSince, digest?.length]),
      [
        [null, 2],
        [null, 2],
      ],
    );
  },

  'a digest that is started anew by hand is not put off': async (under) => {
    const { storage, advance } = under;
    await gathering(storage);
    const { claimed } = await digestOf(under, 2);
    if (!tells(claimed)) return;
    await storage.deliveries.settle([release(claimed, hourMs)]);
    await advance(hourMs / 2);
    const { items } = await storage.log.deliveries(acme, { limit: 2 });
    await storage.log.transition(acme, [items[0]!.id], 'pending');
    assert.equal(one(await claim(storage)).putOffSince, null);
  },
});
