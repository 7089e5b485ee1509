import { PosthornError, type WebhookEvent } from '@posthorn/core';
import type { Message, Verdict } from '@posthorn/core/channel';
import { createOutbound } from '@posthorn/outbound';
import { virtualClock } from '@posthorn/testing';
import { type DiscordStandInOptions, discordStandIn } from '@posthorn/testing/discord-stand-in';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DiscordChannelOptions, type DiscordConfigs, discordChannel } from '../src/index.js';

const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'default',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: null,
  subject: { type: 'order', id: 'o1' },
  cacheScope: null,
  orderingKey: null,
};

const message = (
  configs: DiscordConfigs,
  payload: unknown = {},
  of: Partial<Message> = {},
): Message<DiscordConfigs> => ({
  deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
  attempt: 1,
  attemptsBeforeRetry: 0,
  startedAt: new Date(),
  event,
  payload,
  webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: 'Orders' },
  secrets: [],
  ...of,
  configs,
});

/**
 * Starts a stand-in that accepts five messages in two seconds, as Discord does. Its clock advances a second per
 * attempt.
 */
async function testDiscord(options?: DiscordStandInOptions) {
  const clock = virtualClock();
  const discord = await discordStandIn({ limitRate: true, now: clock.now, ...options });
  const outbound = createOutbound(discord.channelOptions.outbound);
  onTestFinished(async () => {
    await outbound.close();
    await discord.close();
  });
  const channel = discordChannel({ ...discord.channelOptions, outbound });
  const { signal } = new AbortController();
  return {
    ...discord,
    channel,
    send(
      payload: unknown = {},
      of: Partial<Message> = {},
      configs: Partial<DiscordConfigs> = {},
    ): Promise<Verdict> {
      clock.advance(1_000);
      return channel.send(message({ webhook_url: discord.webhookUrl, ...configs }, payload, of), signal);
    },
  };
}

test('an event is an embed of type, subject, fields and time, which notifies no one', async () => {
  const discord = await testDiscord();
  expect(await discord.send({ orderId: 'o1', note: 'x'.repeat(50) })).toMatchObject({
    outcome: 'delivered',
    status: 200,
  });
  expect(discord.messages[0]!.body).toEqual({
    embeds: [
      {
        title: 'order.created',
        description: 'order o1',
        fields: [
          { name: 'orderId', value: 'o1', inline: true },
          { name: 'note', value: 'x'.repeat(50), inline: false },
        ],
        timestamp: '2026-11-23T10:00:00.123Z',
        color: 0x5865f2,
        footer: { text: 'Orders · evt_0TvKq1aBcDeFgHiJkLmNoP' },
      },
    ],
    allowed_mentions: { parse: [] },
  });
});

test('a webhook can have its own name, avatar and text, whose values are escaped and notify no one', async () => {
  const discord = await testDiscord();
  const looks = { username: 'Shop', avatar_url: 'https://shop.example/icon.png' };
  const content_template = '**New** {{ metadata.text }} @everyone';
  await discord.send({ text: '[pay](https://evil.example) <@1>' }, {}, { ...looks, content_template });
  expect(discord.messages[0]).toEqual({
    body: {
      content: '**New** \\[pay\\]\\(https\\://evil.example\\) \\<\\@1\\> @everyone',
      ...looks,
      allowed_mentions: { parse: [] },
    },
    pings: [],
  });
});

describe('a message keeps the limits of Discord with', () => {
  test.each<[string, unknown, Partial<Message>?, Partial<DiscordConfigs>?]>([
    ['a field of 50,000 characters', { long: '😀'.repeat(25_000) }],
    [
      'sixty fields with many characters to escape',
      Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f_${i}`, '*'.repeat(5_000)])),
    ],
    ['a long name', {}, { webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: '📯'.repeat(200) } }],
    ['a long subject', {}, { event: { ...event, subject: { type: '*'.repeat(200), id: '*'.repeat(200) } } }],
    ['a long text', { long: 'x'.repeat(5_000) }, {}, { content_template: '{{ metadata.long }}' }],
    ['a digest', {}, { digest: Array(500).fill({ event, payload: {} }) }],
  ])('%s', async (_, payload, of, configs) => {
    const discord = await testDiscord();
    expect(await discord.send(payload, of, configs)).toMatchObject({ outcome: 'delivered' });
    expect(JSON.stringify(discord.messages[0]!.body)).not.toMatch(/\\ud[89a-f]/);
  });

  test('any payload', async () => {
    const discord = await testDiscord();
    const anything = fc.string({ unit: 'binary', maxLength: 100 }).map((text) => text.repeat(20));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(anything, fc.oneof(anything, fc.jsonValue()), { maxKeys: 12 }),
        async (payload) => {
          expect(await discord.send(payload)).toMatchObject({ outcome: 'delivered' });
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a digest, which counts the events that do not fit', async () => {
    const discord = await testDiscord();
    await discord.send({}, { digest: Array(500).fill({ event, payload: {} }) });
    const [embed] = discord.messages[0]!.body.embeds as { title: string; description: string }[];
    const lines = embed!.description.split('\n');
    expect(embed!.title).toBe('500 events');
    expect(lines[0]).toBe('**order.created** order o1 <t:1795428000:f>');
    expect(lines.at(-1)).toBe(`and ${500 - (lines.length - 1)} more`);
  });
});

describe('a response', () => {
  test.each<[number, unknown, string]>([
    [404, { message: 'Unknown Webhook', code: 10015 }, 'gone'],
    [401, { message: 'Invalid Webhook Token', code: 50027 }, 'gone'],
    [404, 'a page of a proxy', 'failed'],
    [400, { message: 'Invalid Form Body', code: 50035 }, 'rejected'],
    [413, { message: 'Request entity too large', code: 40005 }, 'rejected'],
    [413, '<h1>Too large</h1>', 'failed'],
    [400, '<h1>Bad request</h1>', 'failed'],
    [410, '<h1>Gone</h1>', 'failed'],
    [403, { message: 'Missing Permissions', code: 50013 }, 'failed'],
    [502, '', 'failed'],
    [302, '', 'failed'],
  ])('of %i with %j: %s', async (status, body, outcome) => {
    const discord = await testDiscord();
    discord.answerNext({ status, body: JSON.stringify(body) });
    expect(await discord.send()).toMatchObject({ outcome, kind: 'http_status', status });
  });

  test('of too many messages makes the delivery wait as long as its body says', async () => {
    const clock = virtualClock();
    const discord = await testDiscord({ limitRate: true, now: clock.now });
    for (let i = 0; i < 5; i++) expect(await discord.send()).toMatchObject({ outcome: 'delivered' });
    clock.advance(755);
    expect(await discord.send()).toMatchObject({ outcome: 'rate_limited', status: 429, retryAfterMs: 1_245 });
  });

  test('of too many messages with a time only in a header makes the delivery wait as well', async () => {
    const discord = await testDiscord();
    discord.answerNext({ status: 429, headers: { 'retry-after': '7' }, body: 'slow down' });
    expect(await discord.send()).toMatchObject({ outcome: 'rate_limited', retryAfterMs: 7_000 });
  });
});

describe('configs', () => {
  const channel = discordChannel();
  const webhook_url = 'https://discord.com/api/webhooks/1/s3cr3t';

  test.each<DiscordConfigs>([
    { webhook_url },
    { webhook_url: 'https://canary.discord.com/api/v10/webhooks/1/x?thread_id=2' },
    { webhook_url, username: 'Lädchen', avatar_url: null, content_template: '{{ event_type }}' },
  ])('%j are accepted', async (configs) => {
    expect(await channel.config['~standard'].validate(configs)).toEqual({ value: configs });
  });

  test.each<[unknown, string, string | RegExp]>([
    [{}, 'webhook_url', 'must be a string'],
    [
      { webhook_url: 'https://evil.example/api/webhooks/1/x' },
      'webhook_url',
      /^must be a URL of discord\.com or/,
    ],
    [{ webhook_url: 'http://discord.com/api/webhooks/1/x' }, 'webhook_url', /^must begin with https:/],
    [{ webhook_url, username: 'My Discord' }, 'username', /neither clyde nor discord/],
    [{ webhook_url, username: ' ' }, 'username', /^must have 1 to 80 characters/],
    [{ webhook_url, username: 'x'.repeat(81) }, 'username', /^must have 1 to 80 characters/],
    [{ webhook_url, avatar_url: 'javascript:1' }, 'avatar_url', 'must be a URL of http: or https:'],
    [{ webhook_url, content_template: '{{ event_type' }, 'content_template', /^line 1, column 1: /],
    [{ webhook_url, content: 'x' }, 'content', 'is no field of a discord channel'],
  ])('%j are refused at %s', async (configs, field, problem) => {
    const { issues = [] } = await channel.config['~standard'].validate(configs);
    expect(issues).toMatchObject([{ path: [field], message: expect.stringMatching(problem) }]);
    expect(JSON.stringify(issues)).not.toContain('s3cr3t');
  });
});

test('a template that renders to an empty text fails the attempt, and nothing is sent', async () => {
  const discord = await testDiscord();
  expect(await discord.send({}, {}, { content_template: ' {{ metadata.none }} ' })).toMatchObject({
    outcome: 'failed',
    kind: 'config',
    message: 'content_template renders to an empty text',
  });
  expect(discord.requests).toEqual([]);
});

test('a stored webhook_url that is not a URL fails the attempt, and nothing is sent', async () => {
  const discord = await testDiscord();
  expect(await discord.send({}, {}, { webhook_url: 'canary' })).toMatchObject({
    outcome: 'failed',
    kind: 'config',
  });
});

test('a preview shows exactly the message that is sent', async () => {
  const discord = await testDiscord();
  await discord.send({ a: 1 });
  const parts = await discord.channel.preview!(message({ webhook_url: discord.webhookUrl }, { a: 1 }));
  expect(parts.map(({ name, type, text }) => [name, type, JSON.parse(text)])).toEqual([
    ['body', 'application/json', discord.messages[0]!.body],
  ]);
});

test('an unknown option is refused', () => {
  const make = () => discordChannel({ host: 'x' } as DiscordChannelOptions);
  expect(make).toThrow(PosthornError);
  expect(make).toThrow('unknown option host of discordChannel');
});

test('numbers of the event keep their spelling', async () => {
  const discord = await testDiscord();
  const payload = '{"account":9007199254740993,"owed":42.00}';
  const of = { event: { ...event, payload } };
  await discord.send(JSON.parse(payload), of);
  await discord.send(JSON.parse(payload), of, {
    content_template: '{{ metadata.account }} owes {{ metadata.owed }}',
  });
  const [embed, text] = discord.requests.map(({ body }) => body.replaceAll('\\', ''));
  expect(embed).toMatch(/"9007199254740993".*"42.00"/);
  expect(text).toContain('9007199254740993 owes 42.00');
});
