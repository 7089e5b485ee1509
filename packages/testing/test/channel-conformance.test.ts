import type { Channel } from '@posthorn/core';
import { delivered, failed, gone, rejected, type Verdict } from '@posthorn/core/channel';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { channelConformance, channelRules } from '../src/index.js';
import { openChannel, type SampleConfigs, sampleChannel, withEvent } from './sample-channel.js';

channelConformance({ runner: { describe, test }, open: () => openChannel(sampleChannel) });

type Send = Channel<SampleConfigs>['send'];
const { send } = sampleChannel;
const sending = (flawed: Send): Partial<Channel<SampleConfigs>> => ({ send: flawed });
/** Changes the verdict of the sample channel. */
const onVerdict = (other: (verdict: Verdict) => Verdict): Partial<Channel<SampleConfigs>> =>
  sending(async (message, signal) => other(await send(message, signal)));
const taking = (config: Channel<SampleConfigs>['config']): Partial<Channel<SampleConfigs>> => ({ config });

const secretsLieBeneath =
  'every secret in its configs is covered by secretPaths, and masked where webhooks are read';
const waitIsTheAsked = 'the wait that a receiver asks for is the wait of the verdict';
const goneIsGone = 'a receiver that is gone for good is gone, so that its webhook can be paused';
const previewIsSent = 'a preview shows what is sent, for an event and for a digest';

let latest: Parameters<Send>[0];
let attempts = 0;

/** One broken promise each, and the rule that must notice it. */
const flaws: Readonly<Record<string, [Partial<Channel<SampleConfigs>>, string]>> = {
  'has no name': [{ type: '' }, 'its type is a valid channel name'],
  'accepts anything': [
    taking(z.any()),
    'refuses an unknown field, and names it, so that a typo is not silently ignored',
  ],
  'drops unknown fields': [
    taking(z.object({ url: z.url(), token: z.string().optional() })),
    'refuses an unknown field, and names it, so that a typo is not silently ignored',
  ],
  'reports no missing field': [
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
    'its output for configs survives a database, and is accepted again unchanged',
  ],
  'has no deadline': [
    { deadlineMs: () => Number.NaN },
    'its own deadline is a duration that a timer can wait for',
  ],
  'reports everything as delivered': [
    sending(async (message, signal) => {
      await send(message, signal);
      return delivered();
    }),
    'a receiver that refuses is a verdict, not an error',
  ],
  'throws instead of returning a verdict': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      if (verdict.outcome !== 'delivered') throw new Error('failed');
      return verdict;
    }),
    'a receiver that refuses is a verdict, not an error',
  ],
  'rejects when a receiver hangs up': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      return verdict.outcome === 'failed' && verdict.kind === 'reset' ? gone('reset', 'gone') : verdict;
    }),
    'a receiver that hangs up is a verdict, and may be retried',
  ],
  'invents an outcome': [
    sending(async () => ({ outcome: 'maybe' }) as unknown as Verdict),
    'a receiver that refuses is a verdict, not an error',
  ],
  'sends twice': [
    sending(async (message, signal) => {
      await send(message, signal);
      return send(message, signal);
    }),
    'is delivered when the receiver accepts it, and the receiver got it once',
  ],
  'retries by itself': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      return verdict.outcome === 'delivered' ? verdict : send(message, signal);
    }),
    'a channel does not retry a failure: retries are up to the engine',
  ],
  'makes a new id for each attempt': [
    sending((message, signal) => send(withEvent(message, { id: `evt_${++attempts}` }), signal)),
    'the event id is what reaches the receiver, the same with every attempt',
  ],
  'rewrites the payload': [
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
    'sending a message does not change it',
  ],
  'keeps all of an answer': [
    sending(async (message, signal) => {
      const verdict = await send(message, signal);
      return { ...verdict, response: 'x'.repeat(16 * 1024 + 1) };
    }),
    'keeps at most 16 KiB of an endless answer',
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
    'no verdict contains a secret that the engine does not redact, even if the receiver echoes the whole request',
  ],
  'ignores the signal': [
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
    'no verdict contains a secret that the engine does not redact, even if the receiver echoes the whole request',
  ],
  'declares no secret': [{ secretPaths: [] }, secretsLieBeneath],
  'declares another field as secret': [{ secretPaths: [['tokens'], ['url', '*']] }, secretsLieBeneath],
  'counts a limit as a failure': [
    onVerdict((verdict) =>
      verdict.outcome === 'rate_limited'
        ? failed('http_status', 'too many', { retryAfterMs: verdict.retryAfterMs })
        : verdict,
    ),
    'a receiver that has met its limit is busy, and nothing has failed',
  ],
  'takes a limit for a permanent refusal': [
    onVerdict((verdict) => (verdict.outcome === 'rate_limited' ? rejected('http_status', 'no') : verdict)),
    'a receiver that has met its limit is busy, and nothing has failed',
  ],
  'takes seconds for milliseconds': [
    onVerdict((verdict) =>
      verdict.outcome === 'rate_limited'
        ? { ...verdict, retryAfterMs: verdict.retryAfterMs / 1_000 }
        : verdict,
    ),
    waitIsTheAsked,
  ],
  'waits for a time of its own': [
    onVerdict((verdict) =>
      verdict.outcome === 'rate_limited' ? { ...verdict, retryAfterMs: 3_000 } : verdict,
    ),
    waitIsTheAsked,
  ],
  'caps the wait': [
    onVerdict((verdict) =>
      verdict.outcome === 'rate_limited'
        ? { ...verdict, retryAfterMs: Math.min(verdict.retryAfterMs, 60_000) }
        : verdict,
    ),
    waitIsTheAsked,
  ],
  'retries what is gone forever': [
    onVerdict((verdict) => (verdict.outcome === 'gone' ? failed('http_status', 'no') : verdict)),
    goneIsGone,
  ],
  'drops the message of a receiver that is gone, and continues with the next': [
    onVerdict((verdict) => (verdict.outcome === 'gone' ? rejected('http_status', 'no') : verdict)),
    goneIsGone,
  ],
  'reads the status alone': [
    onVerdict((verdict) => (verdict.status === 200 ? delivered({ status: 200 }) : verdict)),
    'a no in the body of an answer is a no, whatever its status says',
  ],
  'sends the first event of a digest': [
    sending(({ digest: _, ...message }, signal) => send(message, signal)),
    'a digest sends all its events in one message',
  ],
  'leaves out the last event of a long digest': [
    sending((message, signal) =>
      send({ ...message, ...(message.digest && { digest: message.digest.slice(0, 3) }) }, signal),
    ),
    'a digest sends all its events in one message',
  ],
  'sends the events of a digest one by one': [
    sending(async (message, signal) => {
      const { digest = [message], ...alone } = message;
      const verdicts = await Promise.all(digest.map((one) => send({ ...alone, ...one }, signal)));
      return verdicts[0]!;
    }),
    'a digest sends all its events in one message',
  ],
  'cannot send a digest with some of its configs': [
    sending(async (message, signal) =>
      message.digest && message.configs.token === undefined ? failed('config', 'no') : send(message, signal),
    ),
    'a digest is accepted with each of the configs, including those with a template',
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
    'a preview sends nothing and contains no secret',
  ],
  'shows its token in the preview, escaped for an address': [
    {
      preview: async ({ configs }) => [
        { name: 'address', type: 'text/plain', text: `?token=${configs.token?.replace('-', '%2D')}` },
      ],
    },
    'a preview sends nothing and contains no secret',
  ],
  'sends its preview': [
    {
      async preview(message) {
        await send(message, new AbortController().signal);
        return [{ name: 'body', type: 'application/json', text: message.event.payload }];
      },
    },
    'a preview sends nothing and contains no secret',
  ],
  'shows its token in the preview': [
    {
      preview: async ({ configs }) => [{ name: 'body', type: 'text/plain', text: JSON.stringify(configs) }],
    },
    'a preview sends nothing and contains no secret',
  ],
  'shows no readable text': [
    { preview: async () => [{ name: 'body', type: 'json', text: '' }] },
    'a preview sends nothing and contains no secret',
  ],
  'signs its preview': [
    {
      preview: async ({ secrets }) => [
        { name: 'body', type: 'text/plain', text: `${secrets[0]!.reveal().length}` },
      ],
    },
    'a preview needs no signing keys: the engine provides none',
  ],
  'sends although its signal was aborted before': [
    sending(async (message, signal) => {
      if (signal.aborted) await send(message, new AbortController().signal);
      return send(message, signal);
    }),
    'an already aborted signal sends nothing',
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
