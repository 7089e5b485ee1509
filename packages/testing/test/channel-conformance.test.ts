import { type Channel, delivered, failed, gone, rejected, type Verdict } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { channelConformance, channelRules } from '../src/index.js';
import { openChannel, type SampleConfigs, sampleChannel, withEvent } from './sample-channel.js';

channelConformance({ runner: { describe, test }, open: () => openChannel(sampleChannel) });

type Send = Channel<SampleConfigs>['send'];
const { send } = sampleChannel;
const sending = (flawed: Send): Partial<Channel<SampleConfigs>> => ({ send: flawed });
/** Says something else of what it got. */
const onVerdict = (other: (verdict: Verdict) => Verdict): Partial<Channel<SampleConfigs>> =>
  sending(async (message, signal) => other(await send(message, signal)));
const taking = (config: Channel<SampleConfigs>['config']): Partial<Channel<SampleConfigs>> => ({ config });

const secretsLieBeneath =
  'every secret in its configs lies beneath secretPaths, and is masked where webhooks are read';
const waitIsTheAsked = 'the wait that a receiver asks for is the wait of the verdict';
const goneIsGone = 'a receiver that is gone for good is gone, so that its webhook can be paused';
const previewIsSent = 'a preview shows what is sent, of one event and of a digest';

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
    {
      secretPaths: [],
      ...sending((message, signal) =>
        fetch(message.configs.url, { method: 'POST', headers: { 'x-token': message.configs.token! }, signal })
          .then((answer) => answer.text())
          .then((response) => delivered({ response })),
      ),
    },
    'no verdict tells a secret that the engine does not cut from it, even if the receiver quotes all that it received',
  ],
  'is deaf to the signal': [
    sending((message) => send(message, new AbortController().signal)),
    'a receiver that never answers is left within a second of the signal',
  ],
  'lets its token be quoted in base64': [
    sending((message, signal) =>
      fetch(message.configs.url, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`me:${message.configs.token}`)}` },
        signal,
      })
        .then((answer) => answer.text())
        .then((response) => delivered({ response })),
    ),
    'no verdict tells a secret that the engine does not cut from it, even if the receiver quotes all that it received',
  ],
  'does not say what is secret': [{ secretPaths: [] }, secretsLieBeneath],
  'says that something else is secret': [{ secretPaths: [['tokens'], ['url', '*']] }, secretsLieBeneath],
  'counts a limit as a failure': [
    onVerdict((verdict) =>
      verdict.outcome === 'busy'
        ? failed('http_status', 'too many', { retryAfterMs: verdict.retryAfterMs })
        : verdict,
    ),
    'a receiver that has met its limit is busy, and nothing has failed',
  ],
  'takes a limit for a no for good': [
    onVerdict((verdict) => (verdict.outcome === 'busy' ? rejected('http_status', 'no') : verdict)),
    'a receiver that has met its limit is busy, and nothing has failed',
  ],
  'takes seconds for milliseconds': [
    onVerdict((verdict) =>
      verdict.outcome === 'busy' ? { ...verdict, retryAfterMs: verdict.retryAfterMs / 1_000 } : verdict,
    ),
    waitIsTheAsked,
  ],
  'waits as long as it likes': [
    onVerdict((verdict) => (verdict.outcome === 'busy' ? { ...verdict, retryAfterMs: 3_000 } : verdict)),
    waitIsTheAsked,
  ],
  'caps the wait': [
    onVerdict((verdict) =>
      verdict.outcome === 'busy'
        ? { ...verdict, retryAfterMs: Math.min(verdict.retryAfterMs, 60_000) }
        : verdict,
    ),
    waitIsTheAsked,
  ],
  'tries for ever what is gone': [
    onVerdict((verdict) => (verdict.outcome === 'gone' ? failed('http_status', 'no') : verdict)),
    goneIsGone,
  ],
  'drops the message of what is gone, and goes on with the next': [
    onVerdict((verdict) => (verdict.outcome === 'gone' ? rejected('http_status', 'no') : verdict)),
    goneIsGone,
  ],
  'believes the status alone': [
    onVerdict((verdict) => (verdict.status === 200 ? delivered({ status: 200 }) : verdict)),
    'a no in the body of an answer is a no, whatever its status says',
  ],
  'sends the first event of a digest': [
    sending(({ digest: _, ...message }, signal) => send(message, signal)),
    'a digest sends all its events, at once',
  ],
  'leaves out the last event of a long digest': [
    sending((message, signal) =>
      send({ ...message, ...(message.digest && { digest: message.digest.slice(0, 3) }) }, signal),
    ),
    'a digest sends all its events, at once',
  ],
  'sends the events of a digest one by one': [
    sending(async (message, signal) => {
      const { digest = [message], ...alone } = message;
      const verdicts = await Promise.all(digest.map((one) => send({ ...alone, ...one }, signal)));
      return verdicts[0]!;
    }),
    'a digest sends all its events, at once',
  ],
  'cannot send a digest with some of its configs': [
    sending(async (message, signal) =>
      message.digest && message.configs.token === undefined ? failed('config', 'no') : send(message, signal),
    ),
    'a digest is accepted with each of the configs, a template of its own included',
  ],
  'previews another text': [
    {
      preview: async ({ event }) => [
        { name: 'body', type: 'application/json', text: JSON.stringify({ sample: event.type }) },
      ],
    },
    previewIsSent,
  ],
  'previews a part of what is sent': [
    { preview: async () => [{ name: 'title', type: 'text/plain', text: 'Orders' }] },
    previewIsSent,
  ],
  'previews the first event of a digest': [
    { preview: ({ digest: _, ...message }) => sampleChannel.preview!(message) },
    previewIsSent,
  ],
  'shows its token in the preview, in base64': [
    {
      preview: async ({ configs }) => [
        { name: 'headers', type: 'text/plain', text: `Basic ${btoa(`me:${configs.token}`)}` },
      ],
    },
    'a preview sends nothing and tells no secret',
  ],
  'shows its token in the preview, escaped for an address': [
    {
      preview: async ({ configs }) => [
        { name: 'address', type: 'text/plain', text: `?token=${configs.token?.replace('-', '%2D')}` },
      ],
    },
    'a preview sends nothing and tells no secret',
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
