import assert from 'node:assert/strict';
import { redact, secretTexts } from '@posthorn/core';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { Answer, ChannelRule, ChannelUnderTest } from './harness.js';
import { newMessage, sampleMessage, send, storedConfigs } from './sample.js';
import { holds, keysOf } from './secrets.js';

const keptOfAResponse = 16 * 1024;

export const failureRules: readonly ChannelRule[] = topic<ChannelUnderTest>('failure', {
  'a receiver that says no is a verdict, not an error': async (under) => {
    under.answer('failure');
    const { outcome } = await send(under, await sampleMessage(under));
    assert.notEqual(outcome, 'delivered');
  },

  'a receiver that hangs up is a verdict, and may be tried again': async (under) => {
    under.answer('hangup');
    const { outcome } = await send(under, await sampleMessage(under));
    assert.equal(outcome, 'failed');
  },

  'a failure is not sent again by the channel: when to try again is the engine to say': async (under) => {
    for (const how of ['failure', 'hangup'] as const) {
      under.answer(how);
      const before = under.received().length;
      await send(under, await sampleMessage(under));
      ok(under.received().length <= before + 1, `${how}: ${under.received().length - before} times`);
    }
  },

  'a failure does not spoil the next send': async (under) => {
    for (const how of ['failure', 'hangup'] as const) {
      under.answer(how);
      await send(under, await sampleMessage(under));
      under.answer('success');
      const { outcome } = await send(under, await sampleMessage(under));
      assert.equal(outcome, 'delivered', `after ${how}`);
    }
  },

  'of an endless answer 16 KiB are kept at most': async (under) => {
    under.answer('flood');
    const { response = '' } = await send(under, await sampleMessage(under));
    ok(response.length <= keptOfAResponse, `kept ${response.length} characters`);
  },

  'no verdict tells a secret that the engine does not cut from it, even if the receiver quotes all that it received':
    async (under) => {
      const answers: Answer[] = ['echo', 'failure', 'success'];
      for (const [how, configs] of answers.flatMap((how) =>
        under.configs.map((configs) => [how, configs] as const),
      )) {
        under.answer(how);
        const message = newMessage(await storedConfigs(under, configs));
        const keys = keysOf(message);
        const known = [...keys, ...secretTexts(message.configs, under.channel.secretPaths ?? [])];
        const verdict = await send(under, message);
        const texts = [verdict.response ?? '', verdict.outcome === 'delivered' ? '' : verdict.message];
        const said = texts.map((text) => redact(text, known)).join('\n');
        for (const secret of [...keys, ...(under.secrets ?? [])]) {
          ok(!holds(said, secret), `the verdict on ${how} holds a secret`);
        }
      }
    },
});
