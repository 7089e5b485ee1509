import type { PreviewPart } from '@posthorn/core/channel';
import { slackMarkup } from '@posthorn/testing/slack-stand-in';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slackChannel } from '../src/index.js';
import { digestOf, event, message, testSlack } from './message.js';

/** Posts a message and returns it as Slack received it. */
async function posted(payload: unknown, of: Parameters<typeof message>[2] = {}) {
  const slack = await testSlack();
  const verdict = await slack.send(message(slack.webhook, payload, of));
  expect(verdict).toMatchObject({ outcome: 'delivered', status: 200, response: 'ok' });
  return slack.messages[0]!;
}

/** Returns the texts of its blocks as people read them. */
const shown = ({ body }: Awaited<ReturnType<typeof posted>>): string =>
  JSON.stringify(body.blocks, (_, value) => {
    const { type, text } = Object(value);
    if (type === 'mrkdwn') return { ...value, text: slackMarkup(text).shown.replaceAll('\u00ad', '') };
    return type === 'plain_text' ? { ...value, text: decoded(text) } : value;
  });

const decoded = (text: string): string =>
  text.replace(/&(?:amp|lt|gt);/g, (entity) => ({ '&lt;': '<', '&gt;': '>' })[entity] ?? '&');

test("a message shows type, subject, fields, time in the reader's zone, webhook and event", async () => {
  const { body } = await posted({
    orderId: 'o1',
    total: 12.5,
    lines: [{ sku: 'a' }],
    link: 'https://shop.example/o1',
  });
  const field = (text: string) => ({ type: 'mrkdwn', text, verbatim: true });
  const plain = (text: string) => ({ type: 'plain_text', text, emoji: false });
  expect(body).toEqual({
    text: 'order.created: order o1 (Orders to the shop)',
    mrkdwn: false,
    blocks: [
      { type: 'header', text: plain('order.created') },
      { type: 'section', text: plain('order o1') },
      {
        type: 'section',
        fields: [
          field('*orderId*\no1'),
          field('*total*\n12.5'),
          field('*lines*\n[{"sku":"a"}]'),
          field('*link*\n<https://shop.example/o1>'),
        ],
      },
      {
        type: 'context',
        elements: [
          field('<!date^1795428000^{date_short_pretty} {time}|2026-11-23 10:00 UTC>'),
          plain('Orders to the shop'),
          plain('evt_0TvKq1aBcDeFgHiJkLmNoP'),
        ],
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
});

test('the name, icon and channel of a legacy webhook are sent', async () => {
  const slack = await testSlack();
  const looks = {
    channel: '#a',
    username: 'Shop',
    icon_emoji: ':tada:',
    icon_url: 'https://a.example/b.png',
  };
  await slack.send(message({ ...slack.webhook, ...looks }));
  expect(slack.messages[0]!.body).toMatchObject(looks);
});

test('an event with no subject and an empty payload is shown', async () => {
  const { body } = await posted({}, { event: { ...event, subject: null } });
  expect(body.text).toBe('order.created (Orders to the shop)');
  expect((body.blocks as { type: string }[]).map(({ type }) => type)).toEqual(['header', 'context']);
});

describe('text of an event mentions no one and links nowhere:', () => {
  test.each([
    '<!channel>',
    '<!here>',
    '<!everyone>',
    '<!subteam^S1>',
    '<@U123>',
    '<#C123>',
    '<https://evil.example|Reset your password>',
    '&lt;!channel&gt;',
    '*bold* `code` ```pre```\n> quoted',
    '*/5 * * * *',
    '~$36k to ~$40k',
    '_x_ and :tada:',
    '> quoted',
    '| > <',
    '","channel":"#x',
    '","blocks":[]}',
    '{{ webhook.name }}',
    '@channel #general',
  ])('%j', async (nasty) => {
    const message = await posted(
      { [nasty]: nasty, deep: { [nasty]: [nasty] } },
      {
        event: { ...event, subject: { type: nasty, id: nasty } },
        webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: nasty.replace('\n', ' ') },
      },
    );
    expect([message.mentions, message.links]).toEqual([[], []]);
    expect(message.body).not.toHaveProperty('channel');
    expect(JSON.stringify(message.body.blocks).replaceAll('<!date^', '')).not.toMatch(/<[!@#h]/);
    const read = shown(message);
    expect(read).toContain(JSON.stringify(`${nasty.replace(/\s+/g, ' ')}\n${nasty}`));
    const line = nasty.replace(/\s+/g, ' ');
    expect(read).toContain(JSON.stringify(`${line} ${line}`));
    expect(decoded(String(message.body.text))).toContain(nasty.replace(/\s+/g, ' '));
  });

  test('while a URL in it links to itself', async () => {
    const url = 'https://a.example/?x=<!here>|Reset&y=1';
    const { links, mentions } = await posted({ url });
    const target = 'https://a.example/?x=%3C!here%3E%7CReset&y=1';
    expect([links, mentions]).toEqual([[{ url: target, label: target }], []]);
  });
});

describe('a message keeps the limits of Slack with', () => {
  test.each<[string, unknown]>([
    ['a field of 50,000 characters', { long: 'x'.repeat(50_000) }],
    ['a field of emojis', { long: '😀'.repeat(25_000) }],
    ['a field of ampersands', { long: '&'.repeat(50_000) }],
    ['a name of 50,000 characters', { ['n'.repeat(50_000)]: 'x' }],
    ['a long URL', { long: `https://a.example/${'x'.repeat(50_000)}` }],
    ['sixty fields', Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, '&'.repeat(5_000)]))],
    ['a text', '<'.repeat(50_000)],
  ])('%s', async (_, payload) => {
    const message = await posted(payload);
    const read = shown(message);
    expect(read).toMatch(/…/);
    expect(read).not.toMatch(/\\ud[89a-f]/);
  });

  test('any text', async () => {
    const slack = await testSlack();
    const anything = fc.string({ unit: 'binary', maxLength: 200 }).map((text) => text.repeat(20));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(anything, fc.oneof(anything, fc.jsonValue()), { maxKeys: 12 }),
        async (payload) => {
          expect(await slack.send(message(slack.webhook, payload))).toMatchObject({ outcome: 'delivered' });
        },
      ),
      { numRuns: 50 },
    );
    expect(slack.messages.flatMap(({ mentions }) => mentions)).toEqual([]);
  });

  test('more than ten fields, which are counted', async () => {
    const payload = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}`, i]));
    expect(shown(await posted(payload))).toContain('"and 2 more fields"');
  });
});

describe('a digest', () => {
  test('shows a line for each event', async () => {
    const { body } = await posted({}, { digest: digestOf(3) });
    expect(body.text).toBe('3 events (Orders to the shop)');
    const at = '<!date^1795428000^{date_short_pretty} {time}|2026-11-23 10:00 UTC>';
    expect((body.blocks as object[]).slice(0, 2)).toEqual([
      { type: 'header', text: { type: 'plain_text', text: '3 events', emoji: false } },
      {
        type: 'section',
        text: {
          type: 'mrkdwn',
          verbatim: true,
          text: `• *order.created* order o0 · ${at}\n• *order.created* order o1 · ${at}\n• *order.created* order o2 · ${at}`,
        },
      },
    ]);
  });

  test('of one event says 1 event', async () => {
    expect((await posted({}, { digest: digestOf(1) })).body.text).toBe('1 event (Orders to the shop)');
  });

  test('of more events than fit says how many are left out', async () => {
    const message = await posted({}, { digest: digestOf(1_000, (i) => `${i} <!here> ${'x'.repeat(150)}`) });
    const lines = shown(message).match(/• /g)!.length;
    expect(lines).toBeGreaterThan(20);
    expect(shown(message)).toContain(`"and ${1_000 - lines} more"`);
    expect(message.mentions).toEqual([]);
  });
});

test('a preview shows exactly the message that is sent, and no secret', async () => {
  const slack = await testSlack();
  const channel = slackChannel();
  for (const configs of [slack.webhook, slack.bot]) {
    const parts: readonly PreviewPart[] = await channel.preview!(message(configs));
    await slack.send(message(configs));
    const { client_msg_id, ...body } = slack.messages.at(-1)!.body;
    expect(parts.map(({ name, type }) => [name, type])).toEqual([
      ['text', 'text/plain'],
      ['body', 'application/json'],
    ]);
    expect(JSON.parse(parts[1]!.text)).toEqual(body);
    expect(parts[0]!.text).toBe(body.text);
    expect(JSON.stringify(parts)).not.toContain(slack.botToken);
    expect(JSON.stringify(parts)).not.toContain(new URL(slack.webhookUrl).pathname);
  }
});
