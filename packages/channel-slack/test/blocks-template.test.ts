import { isPosthornError } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { slackChannel } from '../src/index.js';
import { digestOf, message, testSlack } from './message.js';

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } });

/** Returns the message that Slack received for a template, and the verdict. */
async function posted(template: unknown, payload: unknown = {}, of: Parameters<typeof message>[2] = {}) {
  const slack = await testSlack();
  const blocks_template = typeof template === 'string' ? template : JSON.stringify(template);
  const verdict = await slack.send(message({ ...slack.webhook, blocks_template }, payload, of));
  return { verdict, sent: slack.messages[0], requests: slack.requests.length };
}

test('the blocks of a template replace the default ones, next to the same text', async () => {
  const { sent } = await posted([section('New order {{ metadata.orderId }} of {{ webhook.name }}')], {
    orderId: 'o1',
  });
  expect(sent!.body).toMatchObject({
    text: 'order.created: order o1 (Orders to the shop)',
    blocks: [section('New order o1 of Orders to the shop')],
  });
});

test('values are escaped once, while the template itself may mention and link', async () => {
  const template = [section('<!here> <https://shop.example|Shop> {{ metadata.text }}')];
  const { sent } = await posted(template, { text: '<!channel> <https://evil.example|Shop> &lt;' });
  expect(sent!.mentions).toEqual(['!here']);
  expect(sent!.links).toEqual([{ url: 'https://shop.example', label: 'Shop' }]);
  expect(JSON.stringify(sent!.body.blocks)).toContain(
    '&lt;!channel&gt; &lt;https://evil.example|Shop&gt; &amp;lt;',
  );
});

test('a value cannot leave its text', async () => {
  const loop =
    '[{% for x in metadata.list %}{"type":"section","text":{"type":"mrkdwn","text":"{{ x }}"}}{% endfor %}]';
  const nasty = '"}},{"type":"divider"},{"a":{"b":"';
  const { sent } = await posted(loop, { list: [nasty] });
  expect(sent!.body.blocks).toEqual([section(nasty)]);
  expect(
    (await posted([section('{{ metadata.x }}')], { x: '","channel":"#x' })).sent!.body,
  ).not.toHaveProperty('channel');
});

test('a URL in a block is escaped as a URL, not as mrkdwn', async () => {
  const template = [
    { type: 'image', image_url: '{{ metadata.url }}', alt_text: 'A & B' },
    {
      type: 'actions',
      elements: [{ type: 'button', url: '{{ metadata.url }}', text: { type: 'plain_text', text: 'Go' } }],
    },
  ];
  const { sent } = await posted(template, { url: 'https://a.example/?a=1&b=2' });
  expect(JSON.stringify(sent!.body.blocks).match(/a=1&b=2/g)).toHaveLength(2);
});

describe('each text is escaped for its place', () => {
  const nasty = '[Reset](https://evil.example) <!channel> & *a*';

  test('as Markdown in a Markdown block, cut at 12,000 characters', async () => {
    const template = [{ type: 'markdown', text: '# {{ metadata.text }}' }];
    const { sent } = await posted(template, { text: nasty });
    const [{ text }] = sent!.body.blocks as [{ text: string }];
    expect(text.replace(/\\[^\w\s]/g, '')).toBe('# Resethttps//evil.example channel  a');
    const long = await posted(template, { text: 'x'.repeat(20_000) });
    expect(long.verdict.outcome).toBe('delivered');
    expect(long.sent!.body.blocks).toMatchObject([{ text: `# ${'x'.repeat(11_997)}…` }]);
    expect(
      (await posted([{ type: 'markdown', text: '{{ metadata.none }}' }])).sent!.body.blocks,
    ).toMatchObject([{ text: '-' }]);
  });

  test('not at all in rich text and in the value of a button', async () => {
    const value = '{{ metadata.text }}';
    const blocks = (text: string) => [
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_section',
            elements: [
              { type: 'text', text },
              { type: 'link', url: 'https://a.example', text },
            ],
          },
        ],
      },
      {
        type: 'actions',
        elements: [{ type: 'button', text: { type: 'plain_text', text: 'Go' }, value: text }],
      },
    ];
    expect((await posted(blocks(value), { text: nasty })).sent!.body.blocks).toEqual(blocks(nasty));
  });
});

describe('a URL in a block', () => {
  const button = (url: string | undefined) => ({
    type: 'actions',
    elements: [
      { type: 'button', text: { type: 'plain_text', text: 'Go' }, ...(url !== undefined && { url }) },
    ],
  });
  test.each<[string, string, string | undefined]>([
    ['{{ metadata.url }}', 'https://a.example/?a=1&b=<2>|c d', 'https://a.example/?a=1&b=%3C2%3E%7Cc%20d'],
    ['{{ metadata.url }}', 'javascript:alert(1)', undefined],
    ['{{ metadata.url }}', '!channel', undefined],
    ['https://a.example/?q={{ metadata.url }}', 'a b|<c>', 'https://a.example/?q=a%20b%7C%3Cc%3E'],
    ['slack://open?team={{ metadata.url }}', 'T1', 'slack://open?team=T1'],
  ])('%s with %s', async (template, url, expected) => {
    expect((await posted([button(template)], { url })).sent!.body.blocks).toEqual([button(expected)]);
  });
});

test('a link to a URL of the event accepts http and https only, and mentions no one', async () => {
  const template = [section('<{{ metadata.x }}|open>')];
  expect((await posted(template, { x: '!channel' })).sent).toMatchObject({ mentions: [], links: [] });
  expect((await posted(template, { x: 'https://a.example/|<!here>' })).sent).toMatchObject({
    mentions: [],
    links: [{ url: 'https://a.example/%7C%3C!here%3E', label: 'open' }],
  });
});

test('a template can use all events of a digest', async () => {
  const template =
    '[{% for event in events %}{"type":"section","text":{"type":"mrkdwn","text":"{{ event.subject.id }}"}}{% unless forloop.last %},{% endunless %}{% endfor %}]';
  const { sent } = await posted(template, {}, { digest: digestOf(3) });
  expect(sent!.body.blocks).toEqual([section('o0'), section('o1'), section('o2')]);
});

test('rendered blocks are cut to the limits of Slack', async () => {
  const long = 'x'.repeat(5_000);
  const texts = (count: number) => Array(count).fill({ type: 'mrkdwn', text: 'x' });
  const { verdict, sent } = await posted(
    [
      { type: 'header', text: { type: 'plain_text', text: '{{ metadata.long }}' } },
      section('{{ metadata.long }}'),
      { type: 'section', fields: [{ type: 'mrkdwn', text: '{{ metadata.long }}' }, ...texts(11)] },
      { type: 'context', elements: texts(11) },
      {
        type: 'image',
        image_url: 'https://a.example/b',
        alt_text: '{{ metadata.long }}',
        title: { type: 'plain_text', text: '{{ metadata.long }}' },
      },
      { type: 'divider' },
    ],
    { long },
  );
  expect(verdict.outcome).toBe('delivered');
  const cut = (length: number) => `${long.slice(0, length - 1)}…`;
  expect(sent!.body.blocks).toEqual([
    { type: 'header', text: { type: 'plain_text', text: cut(150) } },
    section(cut(3_000)),
    { type: 'section', fields: [{ type: 'mrkdwn', text: cut(2_000) }, ...texts(9)] },
    { type: 'context', elements: texts(10) },
    {
      type: 'image',
      image_url: 'https://a.example/b',
      alt_text: cut(2_000),
      title: { type: 'plain_text', text: cut(2_000) },
    },
    { type: 'divider' },
  ]);
});

describe('values that Slack would refuse are cut or left out:', () => {
  const long = 't'.repeat(5_000);
  const value = '{{ metadata.v }}';
  const plain = (text: string) => ({ type: 'plain_text', text });
  const actions = (...elements: object[]) => ({ type: 'actions', elements });
  const button = (of: object) => ({ type: 'button', text: plain('Go'), ...of });
  const cut = (length: number) => `${'t'.repeat(length - 1)}…`;
  const rich = (...elements: object[]) => ({
    type: 'rich_text',
    elements: [{ type: 'rich_text_section', elements }],
  });
  const loop = (before: string, after: string, item: string) =>
    `[${before}{% for v in metadata.v %}${item}{% unless forloop.last %},{% endunless %}{% endfor %}${after}]`;
  const divider = { type: 'divider' };

  test.each<[string, unknown, unknown, unknown]>([
    [
      'the text of a button',
      [actions(button({ text: plain(value) }))],
      long,
      [actions(button({ text: plain(cut(75)) }))],
    ],
    [
      'an empty text of a button',
      [actions(button({ text: plain(value) }))],
      '',
      [actions(button({ text: plain('-') }))],
    ],
    [
      'the text of a button next to a section',
      [{ ...section('x'), accessory: button({ text: plain(value) }) }],
      long,
      [{ ...section('x'), accessory: button({ text: plain(cut(75)) }) }],
    ],
    ['the value of a button', [actions(button({ value }))], long, [actions(button({ value: cut(2_000) }))]],
    [
      'the URL of a button',
      [actions(button({ url: `https://a.example/${value}` }))],
      long,
      [actions(button({}))],
    ],
    ['an empty action_id', [actions(button({ action_id: value }))], '', [actions(button({}))]],
    [
      'the confirmation of a button',
      [
        actions(
          button({
            confirm: { title: plain(value), text: plain(value), confirm: plain(value), deny: plain(value) },
          }),
        ),
      ],
      long,
      [
        actions(
          button({
            confirm: {
              title: plain(cut(100)),
              text: plain(cut(300)),
              confirm: plain(cut(30)),
              deny: plain(cut(30)),
            },
          }),
        ),
      ],
    ],
    [
      'an option',
      [actions({ type: 'overflow', options: Array(6).fill({ text: plain(value), value }) })],
      long,
      [actions({ type: 'overflow', options: Array(5).fill({ text: plain(cut(75)), value: cut(150) }) })],
    ],
    [
      'an empty context',
      loop('{"type":"divider"},{"type":"context","elements":[', ']}', '{"type":"mrkdwn","text":"{{ v }}"}'),
      [],
      [divider],
    ],
    [
      'empty fields',
      loop(
        '{"type":"section","text":{"type":"mrkdwn","text":"x"},"fields":[',
        ']}',
        '{"type":"mrkdwn","text":"{{ v }}"}',
      ),
      [],
      [section('x')],
    ],
    [
      'an empty section',
      loop('{"type":"divider"},{"type":"section","fields":[', ']}', '{"type":"mrkdwn","text":"{{ v }}"}'),
      [],
      [divider],
    ],
    ['empty actions', loop('{"type":"actions","elements":[', ']},{"type":"divider"}', '"x"'), [], [divider]],
    [
      'an image without a URL',
      [{ type: 'image', image_url: value, alt_text: 'x' }, divider],
      'javascript:x',
      [divider],
    ],
    ['empty rich text', [rich({ type: 'text', text: value })], '', [rich({ type: 'text', text: '-' })]],
    [
      'an empty part of rich text, and a link without a URL',
      [
        rich(
          { type: 'text', text: 'x' },
          { type: 'text', text: value },
          { type: 'link', url: value, text: 'y' },
        ),
      ],
      '',
      [rich({ type: 'text', text: 'x' }, { type: 'text', text: 'y' })],
    ],
    [
      'an empty cell',
      [{ type: 'table', rows: [[{ type: 'raw_text', text: value }]] }],
      '',
      [{ type: 'table', rows: [[{ type: 'raw_text', text: '-' }]] }],
    ],
    [
      'a repeated id',
      [
        { ...divider, block_id: value },
        { ...divider, block_id: value },
      ],
      'a',
      [{ ...divider, block_id: 'a' }, divider],
    ],
    [
      'more text than Slack accepts in total',
      Array(5).fill(section(value)),
      long,
      [...Array(4).fill(section(cut(3_000))), { type: 'context', elements: [plain('… and 1 more block')] }],
    ],
    [
      'ten long fields',
      [{ type: 'section', fields: Array(10).fill({ type: 'mrkdwn', text: value }) }],
      long,
      [{ type: 'section', fields: Array(10).fill({ type: 'mrkdwn', text: cut(900) }) }],
    ],
  ])('%s', async (_, template, v, expected) => {
    const { verdict, sent } = await posted(template, { v });
    expect(verdict).toMatchObject({ outcome: 'delivered' });
    expect(sent!.body.blocks).toEqual(expected);
  });

  test('buttons beyond twenty-five', async () => {
    const item = '{"type":"button","text":{"type":"plain_text","text":"{{ v }}"}}';
    const { sent } = await posted(loop('{"type":"actions","elements":[', ']}', item), {
      v: Array.from({ length: 30 }, (_, i) => i),
    });
    expect((sent!.body.blocks as { elements: unknown[] }[])[0]!.elements).toHaveLength(25);
  });
});

test('the first 49 of sixty blocks are sent, with a line that counts the others', async () => {
  const { sent } = await posted(Array(60).fill({ type: 'divider' }));
  expect(sent!.body.blocks).toHaveLength(50);
  expect((sent!.body.blocks as object[]).at(-1)).toEqual({
    type: 'context',
    elements: [{ type: 'plain_text', text: '… and 11 more blocks' }],
  });
});

test('an empty text, which Slack refuses, becomes a dash', async () => {
  const { sent } = await posted([section('{{ metadata.none }}')]);
  expect(sent!.body.blocks).toEqual([section('-')]);
});

test('a template without blocks sends the text alone', async () => {
  const { sent } = await posted([]);
  expect(sent!.body).not.toHaveProperty('blocks');
});

describe('a template fails the attempt, and nothing is sent, if it renders to', () => {
  test.each<[string, unknown, string | RegExp]>([
    [
      'an object',
      '{% if true %}{}{% endif %}',
      'the rendered text must be an array of blocks, not an object',
    ],
    ['text that is not JSON', '[{% if true %}', /line 1, column/],
    ['a block that is a text', ['divider'], 'block 0 must be an object, not a string'],
    ['a block without a type', [{ text: 'x' }], 'block 0 must have a type'],
    ['a header without a text', [{ type: 'header' }], 'block 0.text must be an object, not undefined'],
    [
      'a text without a type',
      [{ type: 'section', text: { text: 'x' } }],
      'block 0.text must have the type plain_text or mrkdwn',
    ],
    [
      'a text that is a list',
      [{ type: 'section', text: { type: 'mrkdwn', text: '{{ metadata.list }}' } }],
      'block 0.text.text must be a text, not an array',
    ],
    [
      'fields that are not an array',
      [{ type: 'section', fields: {} }],
      'block 0.fields must be an array, not an object',
    ],
  ])('%s', async (_, template, problem) => {
    const { verdict, requests } = await posted(template, { list: ['canary'] });
    expect(verdict).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringMatching(problem),
    });
    expect(requests).toBe(0);
    expect(JSON.stringify(verdict)).not.toContain('canary');
  });

  test('which its preview reports', async () => {
    const previewing = slackChannel().preview!(message({ blocks_template: '["x"]', webhook_url: 'x' }));
    const error = await previewing.catch((error: unknown) => error);
    expect(isPosthornError(error) && error.code).toBe('invalid_template');
  });
});
