import { type Channel, delivered, gone, type Verdict } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { channelConformance, channelRules } from '../src/index.js';
import { openChannel, type SampleConfigs, sampleChannel, withEvent } from './sample-channel.js';

channelConformance({ runner: { describe, test }, open: () => openChannel(sampleChannel) });

type Send = Channel<SampleConfigs>['send'];
const { send } = sampleChannel;
const sending = (flawed: Send): Partial<Channel<SampleConfigs>> => ({ send: flawed });
const taking = (config: Channel<SampleConfigs>['config']): Partial<Channel<SampleConfigs>> => ({ config });

let latest: Parameters<Send>[0];
let attempts = 0;

/** One broken promise each, and the rule that must notice. */
const flaws: Readonly<Record<string, [Partial<Channel<SampleConfigs>>, string]>> = {
  'has no name': [{ type: '' }, 'its type is a name that a webhook can be saved with'],
  'accepts anything': [
    taking(z.any()),
    'refuses an unknown field, and names it, so that a typo is not silently ignored',
  ],
  'drops unknown fields': [
    taking(z.object({ url: z.url(), token: z.string().optional() })),
    'refuses an unknown field, and names it, so that a typo is not silently ignored',
  ],
  'says of no field that it is missing': [
    taking(z.strictObject({ url: z.url(), token: z.string().optional() }).or(z.never())),
    'refuses an empty object, and names each field that is missing',
  ],
  'quotes what it refuses': [
    taking(
      z.strictObject({
        url: z.url({ error: ({ input }) => `must be an URL, not ${JSON.stringify(input)}` }),
        token: z.string().optional(),
      }),
    ),
    'an issue never quotes a value: it may be a secret',
  ],
  'stores what JSON cannot hold': [
    taking(
      z
        .strictObject({ url: z.url(), token: z.string().optional() })
        .transform((configs) => Object.assign(configs, { savedAt: new Date() })),
    ),
    'what it makes of configs survives a database, and is accepted again as it is',
  ],
  'has no deadline': [{ deadlineMs: () => Number.NaN }, 'a deadline of its own is a time that one can wait'],
  'calls everything delivered': [
    sending(async (message, signal) => {
      await send(message, signal);
      return delivered();
    }),
    'a receiver that says no is a verdict, not an error',
  ],
  'throws what it should say': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      if (verdict.outcome !== 'delivered') throw new Error('failed');
      return verdict;
    }),
    'a receiver that says no is a verdict, not an error',
  ],
  'gives up a receiver that hangs up': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      return verdict.outcome === 'failed' && verdict.kind === 'reset' ? gone('reset', 'gone') : verdict;
    }),
    'a receiver that hangs up is a verdict, and may be tried again',
  ],
  'invents an outcome': [
    sending(async () => ({ outcome: 'maybe' }) as unknown as Verdict),
    'a receiver that says no is a verdict, not an error',
  ],
  'sends twice': [
    sending(async (message, signal) => {
      await send(message, signal);
      return send(message, signal);
    }),
    'is delivered when the receiver says yes, and the receiver got it once',
  ],
  'tries again by itself': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      return verdict.outcome === 'delivered' ? verdict : send(message, signal);
    }),
    'a failure is not sent again by the channel: when to try again is the engine to say',
  ],
  'makes a new id for each attempt': [
    sending((message, signal) => send(withEvent(message, { id: `evt_${++attempts}` }), signal)),
    'the event id is what reaches the receiver, the same with every attempt',
  ],
  'spells the payload its own way': [
    sending((message, signal) =>
      send(withEvent(message, { payload: message.event.payload.replace(/[^\0-\x7f]/g, '?') }), signal),
    ),
    'the payload reaches the receiver unchanged',
  ],
  'shares its state between sends': [
    sending(async (message, signal) => {
      latest = message;
      await Promise.resolve();
      return send(latest, signal);
    }),
    'messages sent at once do not mix',
  ],
  'writes to the message': [
    sending((message, signal) => {
      Reflect.set(message.event, 'type', message.event.type.toUpperCase());
      (message.secrets as unknown[]).length = 0;
      return send(message, signal);
    }),
    'a message is not changed by sending it',
  ],
  'keeps all of an answer': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      return { ...verdict, response: 'x'.repeat(16 * 1024 + 1) };
    }),
    'of an endless answer 16 KiB are kept at most',
  ],
  'lets its token be quoted': [
    sending((message, signal) =>
      fetch(message.configs.url, { method: 'POST', headers: { 'x-token': message.configs.token! }, signal })
        .then((answer) => answer.text())
        .then((response) => delivered({ response })),
    ),
    'no verdict tells a secret that the engine does not cut from it, even if the receiver quotes all that it received',
  ],
  'is deaf to the signal': [
    sending((message) => send(message, new AbortController().signal)),
    'a receiver that never answers is left within a second of the signal',
  ],
  'sends its preview': [
    {
      async preview(message) {
        await send(message, new AbortController().signal);
        return [{ name: 'body', type: 'application/json', text: message.event.payload }];
      },
    },
    'a preview sends nothing and tells no secret',
  ],
  'shows its token in the preview': [
    {
      preview: async ({ configs }) => [{ name: 'body', type: 'text/plain', text: JSON.stringify(configs) }],
    },
    'a preview sends nothing and tells no secret',
  ],
  'shows nothing that can be read': [
    { preview: async () => [{ name: 'body', type: 'json', text: '' }] },
    'a preview sends nothing and tells no secret',
  ],
  'signs its preview': [
    {
      preview: async ({ secrets }) => [
        { name: 'body', type: 'text/plain', text: `${secrets[0]!.reveal().length}` },
      ],
    },
    'a preview needs no signing key: the engine gives it none',
  ],
  'sends although it was told to stop before': [
    sending(async (message, signal) => {
      if (signal.aborted) await send(message, new AbortController().signal);
      return send(message, signal);
    }),
    'a signal that was aborted before sends nothing',
  ],
};

describe('the channel suite notices a channel that', () => {
  test.each(Object.entries(flaws))('%s', async (_, [flaw, title]) => {
    const rule = channelRules.find((one) => one.title === title)!;
    const under = await openChannel({ ...sampleChannel, ...flaw });
    try {
      await expect(rule.run(under)).rejects.toThrow();
    } finally {
      await under.close?.();
    }
  });
});
