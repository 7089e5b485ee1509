import assert from 'node:assert/strict';
import type { Message } from '@posthorn/core/channel';
import { same } from '../assertions.js';
import { frozen } from '../frozen.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { newMessage, sampleMessage, send, storedConfigs } from './sample.js';

const payloads = [
  '{"orderId":"o1"}',
  '{"text":"Grüße, 世界 📯 \\u2028 <b>&amp; *bold* {{x}} %s \\u0000","n":[1.10,1e21,true,null,{}]}',
  '[]',
  '"a bare text"',
  'null',
  `{"long":"${'x'.repeat(100_000)}"}`,
];

/** Returns the same message as the engine passes it for a later attempt. */
const again = (message: Message, attempt: number): Message => ({
  ...message,
  attempt,
  startedAt: new Date(message.startedAt.getTime() + attempt * 5000),
});

export const sendRules: readonly ChannelRule[] = topic<ChannelUnderTest>('send', {
  'is delivered when the receiver accepts it, and the receiver got it once': async (under) => {
    under.answer('success');
    for (const [i, configs] of under.configs.entries()) {
      const verdict = await send(under, newMessage(await storedConfigs(under, configs)));
      assert.equal(verdict.outcome, 'delivered', `with configs ${i}: ${JSON.stringify(verdict)}`);
      assert.equal(under.received().length, i + 1);
    }
  },

  'the event id is what reaches the receiver, the same with every attempt': async (under) => {
    const message = await sampleMessage(under);
    under.answer('failure');
    await send(under, message);
    await send(under, again(message, 2));
    under.answer('success');
    await send(under, again(message, 3));
    assert.deepEqual(
      under.received().map(({ eventId }) => eventId),
      Array(3).fill(message.event.id),
    );
  },

  'the payload reaches the receiver unchanged': async (under) => {
    under.answer('success');
    for (const [i, payload] of payloads.entries()) {
      const verdict = await send(under, await sampleMessage(under, payload));
      assert.equal(verdict.outcome, 'delivered');
      same(under.received()[i]?.payload, JSON.parse(payload));
    }
  },

  'messages sent at once do not mix': async (under) => {
    under.answer('success');
    const configs = await storedConfigs(under, under.configs[0]);
    const messages = Array.from({ length: 20 }, (_, i) => newMessage(configs, `{"number":${i}}`));
    const verdicts = await Promise.all(messages.map((message) => send(under, message)));
    same(
      verdicts.map(({ outcome }) => outcome),
      verdicts.map(() => 'delivered'),
    );
    const received = under.received();
    assert.equal(received.length, 20);
    const payloadOf = new Map(messages.map(({ event, payload }) => [event.id, payload]));
    const seen = received.flatMap(({ eventId }) => eventId ?? []);
    assert.equal(new Set(seen).size, seen.length, 'each event reaches the receiver once');
    for (const { eventId, payload } of received) {
      if (eventId !== undefined && payload !== undefined) same(payload, payloadOf.get(eventId));
    }
  },

  'sending a message does not change it': async (under) => {
    for (const how of ['success', 'failure'] as const) {
      under.answer(how);
      const message = await sampleMessage(under, '{"list":[1,{"a":null}]}');
      const before = structuredClone(message);
      // The engine shares parts of a message with other messages: writing to them is wrong even if it is undone.
      await send(under, frozen(message));
      same(message, before);
    }
  },
});
