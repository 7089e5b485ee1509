import assert from 'node:assert/strict';
import type { Verdict } from '@posthorn/core/channel';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { Answer, ChannelRule, ChannelUnderTest } from './harness.js';
import { newMessage, send, storedConfigs } from './sample.js';

/** Two waits, because a channel may have a wait of its own. In another unit both would be different numbers. */
const waits = [3, 90];

/** Returns the verdicts on `how`, one for each of the sample configs. The send after each one must arrive. */
async function verdictsOn(under: ChannelUnderTest, how: Answer, seconds?: number): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const given of under.configs) {
    const configs = await storedConfigs(under, given);
    under.answer(how, seconds);
    const before = under.received().length;
    verdicts.push(await send(under, newMessage(configs)));
    ok(under.received().length > before, `${how}: nothing reached the receiver`);
    under.answer('success');
    assert.equal((await send(under, newMessage(configs))).outcome, 'delivered', `after ${how}`);
  }
  return verdicts;
}

export const answerRules: readonly ChannelRule[] = topic<ChannelUnderTest>('answers', {
  'a receiver that has met its limit is busy, and nothing has failed': async (under) => {
    for (const { outcome } of await verdictsOn(under, 'rate_limited', 3))
      assert.equal(outcome, 'rate_limited');
  },

  'the wait that a receiver asks for is the wait of the verdict': async (under) => {
    for (const seconds of waits) {
      for (const verdict of await verdictsOn(under, 'rate_limited', seconds)) {
        const { retryAfterMs = 0 } = 'retryAfterMs' in verdict ? verdict : {};
        const askedMs = seconds * 1_000;
        // An answer may contain a time, which is read a little later.
        const isAsked = retryAfterMs > askedMs - 1_000 && retryAfterMs <= askedMs + 1_000;
        ok(isAsked, `asked for ${askedMs} ms, but the ${verdict.outcome} verdict has ${retryAfterMs} ms`);
      }
    }
  },

  'a receiver that is gone for good is gone, so that its webhook can be paused': async (under) => {
    for (const { outcome } of await verdictsOn(under, 'gone')) assert.equal(outcome, 'gone');
  },

  'a no in the body of an answer is a no, whatever its status says': async (under) => {
    for (const { outcome } of await verdictsOn(under, 'refusal')) assert.notEqual(outcome, 'delivered');
  },
});
