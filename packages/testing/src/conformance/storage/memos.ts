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

/** A memo with characters that a database could lose. */
const memo = '{"done":["a@example.com"],"note":"Grüße 📯"}';
const dueAtOnce = { status: 'pending', delayMs: 0 } as const;

type Step = NextState | 'cancelled by hand' | 'asked for';

let webhooks = 0;

/** Resolves to the memo of the next claim after `steps`: results of attempts, or manual changes. */
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
  'the memo of an attempt comes with the next claim, and before that there is none': async (under) => {
    assert.equal(await memoAfter(under), undefined);
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }), memo);
  },

  'a memo stays until another replaces it': async (under) => {
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }, dueAtOnce, { status: 'released' }), memo);
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo: 'old' }, { ...dueAtOnce, memo }), memo);
  },

  'a release may leave a memo': async (under) => {
    assert.equal(await memoAfter(under, { status: 'released', memo }), memo);
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo: 'old' }, { status: 'released', memo }), memo);
  },

  'a memo survives the worker that claimed it': async (under) => {
    const { storage, advance } = under;
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }), memo);
    await advance(2 * hourMs);
    assert.equal(one(await claim(storage)).memo, memo);
  },

  'a memo of a dead delivery is kept for a manual retry': async (under) => {
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo }, { status: 'dead' }, 'asked for'), memo);
    const last = { status: 'dead', memo } as const;
    assert.equal(await memoAfter(under, { ...dueAtOnce, memo: 'old' }, last, 'asked for'), memo);
    assert.equal(await memoAfter(under, { status: 'dead' }, 'asked for'), undefined);
  },

  'a memo survives a manual retry of a waiting delivery': async (under) => {
    const waiting = { status: 'pending', delayMs: hourMs, memo } as const;
    assert.equal(await memoAfter(under, waiting, 'asked for'), memo);
  },

  'a memo survives a cancellation, by the application or because its binding is gone': async (under) => {
    for (const cancelled of [{ status: 'cancelled' }, 'cancelled by hand'] as const) {
      assert.equal(await memoAfter(under, { ...dueAtOnce, memo }, cancelled, 'asked for'), memo);
    }
  },

  'a memo comes back unchanged, including characters that a database cannot store as text': async (under) => {
    for (const text of oddTexts) {
      assert.equal(await memoAfter(under, { ...dueAtOnce, memo: text }), text);
      assert.equal(await memoAfter(under, { status: 'released', memo: text }), text);
      assert.equal(await memoAfter(under, { status: 'dead', memo: text }, 'asked for'), text);
    }
  },

  'a delivered delivery has no memo, so that a manual retry reaches all recipients again': async (under) => {
    const retried = await memoAfter(under, { ...dueAtOnce, memo }, { status: 'delivered' }, 'asked for');
    assert.equal(retried, undefined);
  },

  'a memo belongs to one delivery': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent());
    await settleAll(storage, [result(one(await claim(storage)), { ...dueAtOnce, memo })]);
    assert.equal(one(await claim(storage)).memo, memo);
    await publish(storage, newEvent());
    assert.equal(one(await claim(storage)).memo, undefined);
  },
});
