import assert from 'node:assert/strict';
import { redact, secretTexts } from '@posthorn/core/channel';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { Answer, ChannelRule, ChannelUnderTest } from './harness.js';
import { newMessage, sampleMessage, send, storedConfigs } from './sample.js';
import { holds, keysOf } from './secrets.js';

const keptOfAResponse = 16 * 1024;

export const failureRules: readonly ChannelRule[] = topic<ChannelUnderTest>('failure', {
  'a receiver that refuses is a verdict, not an error': async (under) => {
    under.answer('failure');
    const { outcome } = await send(under, await sampleMessage(under));
    assert.notEqual(outcome, 'delivered');
  },

  'a receiver that hangs up is a verdict, and may be retried': async (under) => {
    under.answer('hangup');
    const { outcome } = await send(under, await sampleMessage(under));
    assert.equal(outcome, 'failed');
  },

  'a channel does not retry a failure: retries are up to the engine': async (under) => {
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

  'keeps at most 16 KiB of an endless answer': async (under) => {
    under.answer('flood');
    const { response = '' } = await send(under, await sampleMessage(under));
    ok(response.length <= keptOfAResponse, `kept ${response.length} characters`);
  },

  'no verdict contains a secret that the engine does not redact, even if the receiver echoes the whole request':
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
        const redacted = texts.map((text) => redact(text, known)).join('\n');
        for (const secret of [...keys, ...(under.secrets ?? [])]) {
          ok(!holds(redacted, secret), `the verdict on ${how} contains a secret`);
        }
      }
    },
});
