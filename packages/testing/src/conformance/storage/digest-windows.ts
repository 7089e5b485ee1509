import assert from 'node:assert/strict';
import type { ChannelBinding, StorageAdapter } from '@posthorn/core';
import type { NewEvent } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import { idsIn, windowMs } from './digest-sample.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import {
  acme,
  claim,
  claimAll,
  deliveriesOf,
  eventIdsOf,
  hourMs,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
} from './sample.js';

const digest = { window: windowMs, maxEvents: 100 };

/** Creates a webhook whose digest can change, and publishes events for it. */
async function changeable(storage: StorageAdapter<unknown>, count: number) {
  const binding = newBinding({ digest });
  const { id } = await storage.webhooks.create(newWebhook({ channels: [binding] }));
  const events = newEvents(count);
  await publish(storage, ...events);
  let version = 1;
  const change = async (changed: { channels?: readonly ChannelBinding[]; isActive?: boolean }) => {
    version = (await storage.webhooks.update(acme, id, version, changed))!.version;
  };
  return {
    binding,
    events,
    change,
    gatherFor: (window: number) => change({ channels: [{ ...binding, digest: { ...digest, window } }] }),
    async drop() {
      const { digest: _, ...plain } = binding;
      await change({ channels: [plain] });
    },
  };
}

/** Returns the events that are claimed one by one, in the order of the claims. None of them may be in a digest. */
async function claimedSingly(storage: StorageAdapter<unknown>): Promise<string[]> {
  const claims = await claimAll(storage, { limit: 1 });
  same(claims.flatMap(idsIn), []);
  return eventIdsOf(claims);
}

async function isDueAfter(storage: StorageAdapter<unknown>, window: number): Promise<void> {
  for (const { createdAt, dueAt } of await deliveriesOf(storage)) {
    const gathered = dueAt!.getTime() - createdAt.getTime();
    ok(Math.abs(gathered - window) < minuteMs, `gathers for ${window} ms, not ${gathered}`);
  }
}

/** Gathered events follow the current window of their binding. */
export const digestWindowRules: readonly StorageRule[] = topic<StorageUnderTest>('digests', {
  'a shortened window ends this long after its beginning, also for what has gathered': async (under) => {
    const { storage, advance } = under;
    const { events, gatherFor } = await changeable(storage, 3);
    await gatherFor(windowMs / 2);
    same(await claim(storage), []);
    await isDueAfter(storage, windowMs / 2);
    await advance(windowMs / 2 + minuteMs);
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'a window that has passed when it is shortened ends at once': async ({ storage, advance }) => {
    const { events, gatherFor } = await changeable(storage, 3);
    await advance(windowMs / 2);
    same(await claim(storage), []);
    await gatherFor(windowMs / 4);
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'a lengthened window does not end early': async ({ storage, advance }) => {
    const { events, gatherFor } = await changeable(storage, 2);
    await gatherFor(10 * windowMs);
    await advance(9 * windowMs);
    const later = newEvent();
    await publish(storage, later);
    same(await claim(storage), []);
    await isDueAfter(storage, 10 * windowMs);
    await advance(windowMs + minuteMs);
    same(idsIn(one(await claim(storage))), idsOf([...events, later]));
  },

  'a window may change repeatedly, and everything gathered follows the last one': async (under) => {
    const { storage, advance } = under;
    const { events, gatherFor } = await changeable(storage, 1);
    const all: NewEvent[] = [...events];
    for (const window of [2 * windowMs, 10 * windowMs, 24 * windowMs, 3 * windowMs]) {
      await gatherFor(window);
      same(await claim(storage), []);
      await advance(windowMs / 2);
      all.push(newEvent());
      await publish(storage, all.at(-1)!);
    }
    same(await claim(storage), []);
    await advance(windowMs + minuteMs);
    same(idsIn(one(await claim(storage))), idsOf(all));
  },

  'events published after a window was shortened do not overtake those gathered before': async (under) => {
    const { storage, advance } = under;
    const { binding, events, change } = await changeable(storage, 3);
    await change({ channels: [{ ...binding, digest: { window: windowMs / 2, maxEvents: 2 } }] });
    const later = newEvents(2);
    await publish(storage, ...later);
    await advance(windowMs);
    const all = [...events, ...later];
    same((await claimAll(storage)).map(idsIn), [
      idsOf(all.slice(0, 2)),
      idsOf(all.slice(2, 4)),
      idsOf(all.slice(4)),
    ]);
  },

  'removing the digest sends the gathered events at once, one by one, in the order of publication': async (
    under,
  ) => {
    const { storage } = under;
    const { events, drop } = await changeable(storage, 3);
    same(await claim(storage), []);
    await drop();
    same(await claimedSingly(storage), idsOf(events));
    const later = newEvent();
    await publish(storage, later);
    same(await claimedSingly(storage), [later.id]);
  },

  'after removing the digest, gathered events do not wait for newer ones': async ({ storage }) => {
    const { events, drop } = await changeable(storage, 3);
    await drop();
    const later = newEvents(2);
    await publish(storage, later[0]!);
    await publish(storage, later[1]!);
    assert.deepEqual(new Set(await claimedSingly(storage)), new Set(idsOf([...events, ...later])));
  },

  'an event that was sent alone is retried alone': async ({ storage, advance }) => {
    const { events, drop } = await changeable(storage, 1);
    await drop();
    const claimed = one(await claim(storage));
    assert.deepEqual([claimed.digest, claimed.binding?.digest], [undefined, undefined]);
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs })]);
    same(await claim(storage), []);
    await advance(2 * hourMs);
    const again = one(await claim(storage));
    assert.deepEqual([again.event.id, again.digest], [events[0]!.id, undefined]);
    await settleAll(storage, [result(again, 'delivered')]);
    assert.equal(one(await deliveriesOf(storage)).status, 'delivered');
  },

  'an existing digest stays one, whatever happens to its binding': async ({ storage, advance }) => {
    const { events, drop, gatherFor } = await changeable(storage, 3);
    await advance(2 * windowMs);
    const claimed = one(await claim(storage));
    await settleAll(storage, [result(claimed, { status: 'pending', delayMs: hourMs })]);
    await gatherFor(24 * windowMs);
    await drop();
    same(await claim(storage), []);
    await advance(2 * hourMs);
    const again = one(await claim(storage));
    same(idsIn(again), idsOf(events));
    assert.equal(again.deliveryId, claimed.deliveryId);
  },

  'gathered events of a removed binding are claimed at once, without a binding': async ({ storage }) => {
    const { events, change } = await changeable(storage, 2);
    await change({ channels: [newBinding()] });
    const claims = await claimAll(storage, { limit: 1 });
    same(eventIdsOf(claims), idsOf(events));
    same(
      claims.map(({ binding }) => binding),
      [undefined, undefined],
    );
  },

  'a window that changes while its webhook is paused applies once it is active': async (under) => {
    const { storage, advance } = under;
    const { events, change, gatherFor } = await changeable(storage, 2);
    await change({ isActive: false });
    same(await claim(storage), []);
    await gatherFor(10 * windowMs);
    await change({ isActive: true });
    same(await claim(storage), []);
    await change({ isActive: false });
    await gatherFor(windowMs);
    await advance(2 * windowMs);
    same(await claim(storage), []);
    await change({ isActive: true });
    same(idsIn(one(await claim(storage))), idsOf(events));
  },

  'removing the digest of a paused webhook sends the gathered events one by one once it is active': async (
    under,
  ) => {
    const { storage } = under;
    const { events, change, drop } = await changeable(storage, 2);
    await change({ isActive: false });
    await drop();
    same(await claim(storage), []);
    await change({ isActive: true });
    same(await claimedSingly(storage), idsOf(events));
  },

  'a binding that gathers again after a pause in gathering begins a new window': async ({
    storage,
    advance,
  }) => {
    const { events, drop, gatherFor } = await changeable(storage, 1);
    await advance(windowMs / 2);
    await drop();
    const alone = one(await claim(storage));
    same(alone.event.id, events[0]!.id);
    await settleAll(storage, [result(alone, 'delivered')]);
    await gatherFor(windowMs);
    const later = newEvent();
    await publish(storage, later);
    await advance(windowMs - 2 * minuteMs);
    same(await claim(storage), []);
    await advance(3 * minuteMs);
    same(idsIn(one(await claim(storage))), [later.id]);
  },
});
