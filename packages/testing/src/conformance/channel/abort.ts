import assert from 'node:assert/strict';
import type { Message, Verdict } from '@posthorn/core/channel';
import { until } from '../../until.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { sampleMessage, send, within } from './sample.js';

/**
 * Resolves once `send` has ended, by a verdict or an error, which the engine ignores after the signal. Fails where it
 * does not end soon.
 */
async function endOf(sending: Promise<Verdict>): Promise<Verdict['outcome'] | 'threw'> {
  return within(
    1_000,
    sending.then(
      ({ outcome }) => outcome,
      () => 'threw' as const,
    ),
    'the end of send after its signal',
  );
}

const begin = ({ channel }: ChannelUnderTest, message: Message, signal: AbortSignal): Promise<Verdict> => {
  const sending = channel.send(message, signal);
  sending.catch(() => undefined);
  return sending;
};

export const abortRules: readonly ChannelRule[] = topic<ChannelUnderTest>('abort', {
  'a receiver that never answers is left within a second of the signal': async (under) => {
    under.answer('never');
    const controller = new AbortController();
    const sending = begin(under, await sampleMessage(under), controller.signal);
    await until(() => under.received().length > 0);
    controller.abort();
    assert.notEqual(await endOf(sending), 'delivered');
  },

  'many hanging sends end at once, and the next send works': async (under) => {
    under.answer('never');
    const controller = new AbortController();
    const messages = await Promise.all(Array.from({ length: 10 }, () => sampleMessage(under)));
    const sendings = messages.map((message) => begin(under, message, controller.signal));
    await until(() => under.received().length > 0);
    controller.abort();
    await Promise.all(sendings.map(endOf));
    under.answer('success');
    assert.equal((await send(under, await sampleMessage(under))).outcome, 'delivered');
  },

  'an already aborted signal sends nothing': async (under) => {
    under.answer('success');
    const outcome = await endOf(begin(under, await sampleMessage(under), AbortSignal.abort()));
    assert.notEqual(outcome, 'delivered');
    assert.equal(under.received().length, 0);
  },

  'a signal that is aborted after the send changes nothing': async (under) => {
    under.answer('success');
    const controller = new AbortController();
    const { outcome } = await send(under, await sampleMessage(under), controller.signal);
    controller.abort();
    assert.equal(outcome, 'delivered');
    assert.equal((await send(under, await sampleMessage(under))).outcome, 'delivered');
  },
});
