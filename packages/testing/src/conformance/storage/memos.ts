import assert from 'node:assert/strict';
import type { NextState } from '@posthorn/core';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { oddTexts } from './odd-values.js';
import {
  acme,
  claim,
  deliveriesOf,
  hourMs,
  newEvent,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
} from './sample.js';

/** Who has it, and who does not: in letters that a database could lose. */
const memo = '{"done":["a@example.com"],"note":"Grüße 📯"}';
const dueAtOnce = { status: 'pending', delayMs: 0 } as const;

type Step = NextState | 'cancelled by hand' | 'asked for';

let webhooks = 0;

/** What the next claim of a delivery has after `steps`: what became of an attempt, or what somebody did. */
async function memoAfter(
  { storage }: StorageUnderTest,
  ...steps: readonly Step[]
): Promise<string | undefined> {
  const type = `memo.of${++webhooks}`;
  await storage.webhooks.create(newWebhook({ eventTypes: [type] }));
  const event = newEvent({ type });
  await publish(storage, event);
  const { id } = one(await deliveriesOf(storage, acme, { eventId: event.id }));
  for (const step of steps) {
    if (step === 'asked for') same(await storage.log.transition(acme, [id], 'pending'), [id]);
    else if (step === 'cancelled by hand') await storage.log.transition(acme, [id], 'cancelled');
    else await settleAll(storage, [{ claim: one(await claim(storage)), next: step }]);
  }
  return one(await claim(storage)).memo;
}

export const memosRules: readonly StorageRule[] = topic<StorageUnderTest>('memos', {
  'what an attempt leaves comes with the next claim; before, there is none': async (under) => {
    assert.equal(await memoAfter(under), undefined);
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }), memo);
  },

  'one is there until another takes its place': async (under) => {
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }, dueAtOnce, { status: 'released' }), memo);
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo: 'old' }, { ...dueAtOnce, memo }), memo);
  },

  'a release may leave one, too': async (under) => {
    assert.equal(await memoAfter(under, { status: 'released', memo }), memo);
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo: 'old' }, { status: 'released', memo }), memo);
  },

  'one outlives the worker that got it': async (under) => {
    const { storage, advance } = under;
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }), memo);
    await advance(2 * hourMs);
    assert.equal(one(await claim(storage)).memo, memo);
  },

  'one outlives the delivery that is dead, for a retry that is asked for': async (under) => {
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }, { status: 'dead' }, 'asked for'), memo);
    const last = { status: 'dead', memo } as const;
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo: 'old' }, last, 'asked for'), memo);
    assert.equal(await memoAfter(under, { status: 'dead' }, 'asked for'), undefined);
  },

  'one outlives a retry that is asked for while it waits': async (under) => {
    const waiting = { status: 'pending', delayMs: hourMs, memo } as const;
    assert.equal(await memoAfter(under, waiting, 'asked for'), memo);
  },

  'one outlives cancelling, by the application or because its binding is gone': async (under) => {
    for (const cancelled of [{ status: 'cancelled' }, 'cancelled by hand'] as const) {
      assert.equal(await memoAfter(under, { ...dueAtOnce, memo }, cancelled, 'asked for'), memo);
    }
  },

  'one comes back letter by letter, with what a database cannot keep as text': async (under) => {
    for (const text of oddTexts) {
      assert.equal(await memoAfter(under, { ...dueAtOnce, memo: text }), text);
      assert.equal(await memoAfter(under, { status: 'released', memo: text }), text);
      assert.equal(await memoAfter(under, { status: 'dead', memo: text }, 'asked for'), text);
    }
  },

  'what is delivered has none any more: a retry that is asked for is to reach all again': async (under) => {
    const retried = await memoAfter(under, { ...dueAtOnce, memo }, { status: 'delivered' }, 'asked for');
    assert.equal(retried, undefined);
  },

  'the memo of one delivery is none of another': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent());
    await settleAll(storage, [result(one(await claim(storage)), { ...dueAtOnce, memo })]);
    assert.equal(one(await claim(storage)).memo, memo);
    await publish(storage, newEvent());
    assert.equal(one(await claim(storage)).memo, undefined);
  },
});
