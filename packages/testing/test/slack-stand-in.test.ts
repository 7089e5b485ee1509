import { virtualClock } from '@posthorn/testing';
import { type SlackStandIn, slackMarkup, slackStandIn } from '@posthorn/testing/slack-stand-in';
import { describe, expect, onTestFinished, test } from 'vitest';

async function standIn(options?: Parameters<typeof slackStandIn>[0]): Promise<SlackStandIn> {
  const slack = await slackStandIn(options);
  onTestFinished(() => slack.close());
  return slack;
}

const json = { 'content-type': 'application/json' };

/** Posts to an incoming webhook. Returns the status and the text of the answer. */
async function hook(slack: SlackStandIn, body: unknown, headers: Record<string, string> = json) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(slack.webhookUrl, { method: 'POST', headers, body: text });
  return [response.status, await response.text()];
}

/** Calls chat.postMessage. Returns the answer and its headers. */
async function call(slack: SlackStandIn, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(`${slack.channelOptions.apiUrl}/chat.postMessage`, {
    method: 'POST',
    headers: { ...json, authorization: `Bearer ${slack.botToken}`, ...headers },
    body: JSON.stringify({ channel: slack.channelId, ...body }),
  });
  return { status: response.status, headers: response.headers, answer: (await response.json()) as object };
}

const header = (text: string) => ({ type: 'header', text: { type: 'plain_text', text } });
const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } });
const plain = (text: string) => ({ type: 'plain_text', text });
const button = (of: object) => ({ type: 'button', text: plain('Go'), ...of });
const actions = (...elements: object[]) => ({ type: 'actions', elements });
const option = { text: plain('x'), value: 'v' };
const confirm = (text: string) => ({
  title: plain('x'),
  text: plain(text),
  confirm: plain('y'),
  deny: plain('n'),
});
const rich = (...elements: object[]) => ({
  type: 'rich_text',
  elements: [{ type: 'rich_text_section', elements }],
});
const fields = (count: number, text = 'x') => ({
  type: 'section',
  fields: Array(count).fill({ type: 'mrkdwn', text }),
});

describe('an incoming webhook', () => {
  test('accepts a message and answers ok', async () => {
    const slack = await standIn();
    expect(await hook(slack, { text: 'hello' })).toEqual([200, 'ok']);
    expect(slack.messages).toEqual([
      expect.objectContaining({ channel: slack.channelId, body: { text: 'hello' }, mentions: [], links: [] }),
    ]);
  });

  test.each<[string, unknown, Record<string, string>?]>([
    ['no JSON', '{"text":'],
    ['no object', '[]'],
    ['null', 'null'],
    ['no type', '{"text":"x"}', { 'content-type': 'text/plain' }],
  ])('refuses a body that is %s, in plain text', async (_, body, headers) => {
    const slack = await standIn();
    expect(await hook(slack, body, headers)).toEqual([400, 'invalid_payload']);
    expect(slack.messages).toEqual([]);
  });

  test.each<[unknown, string]>([
    [{}, 'no_text'],
    [{ text: '' }, 'no_text'],
    [{ text: '', blocks: [] }, 'no_text'],
    [{ text: 'x'.repeat(40_001) }, 'msg_too_long'],
    [{ text: 'x', attachments: Array(101).fill({}) }, 'too_many_attachments'],
    [{ blocks: [{ type: 'nothing' }] }, 'invalid_blocks'],
    [{ blocks: {} }, 'invalid_blocks'],
  ])('refuses %j with %s', async (body, error) => {
    expect(await hook(await standIn(), body)).toEqual([400, error]);
  });

  test('is identified by its path alone, and can be removed or its channel archived', async () => {
    const slack = await standIn();
    const other = { ...slack, webhookUrl: `${slack.webhookUrl}x` };
    expect(await hook(other, { text: 'x' })).toEqual([404, 'no_service']);
    slack.archiveChannel();
    expect(await hook(slack, { text: 'x' })).toEqual([410, 'channel_is_archived']);
    slack.removeWebhook();
    expect(await hook(slack, { text: 'x' })).toEqual([404, 'no_service']);
  });
});

describe('chat.postMessage', () => {
  test('accepts a message, and returns it', async () => {
    const slack = await standIn();
    const { status, answer } = await call(slack, { text: 'hello' });
    expect(status).toBe(200);
    expect(answer).toMatchObject({ ok: true, channel: slack.channelId, message: { text: 'hello' } });
    expect(slack.messages).toHaveLength(1);
  });

  test('refuses with 200 and an error code in JSON', async () => {
    const slack = await standIn();
    const refusals: [object, Record<string, string>, string][] = [
      [{ text: 'x' }, { authorization: 'Bearer xoxb-other' }, 'invalid_auth'],
      [{ text: 'x' }, { 'content-type': 'application/json; charset=koi8-r' }, 'invalid_charset'],
      [{ text: 'x' }, { 'content-type': 'text/plain' }, 'invalid_json'],
      [{ text: 'x', channel: 'C0UNKNOWN' }, {}, 'channel_not_found'],
      [{}, {}, 'no_text'],
    ];
    for (const [body, headers, error] of refusals) {
      expect(await call(slack, body, headers)).toMatchObject({ status: 200, answer: { ok: false, error } });
    }
    expect(slack.messages).toEqual([]);
  });

  test('requires a token, which can be revoked, and a channel that is not archived', async () => {
    const slack = await standIn();
    const response = await fetch(`${slack.channelOptions.apiUrl}/chat.postMessage`, { method: 'POST' });
    expect(await response.json()).toEqual({ ok: false, error: 'not_authed' });
    slack.archiveChannel();
    expect(await call(slack, { text: 'x' })).toMatchObject({ answer: { error: 'is_archived' } });
    slack.revokeToken();
    expect(await call(slack, { text: 'x' })).toMatchObject({ answer: { error: 'token_revoked' } });
  });

  test('reports what is wrong with blocks', async () => {
    const { answer } = await call(await standIn(), { blocks: [header('x'.repeat(151))] });
    expect(answer).toMatchObject({
      error: 'invalid_blocks',
      errors: ['blocks/0/text: must be less than 151 characters'],
    });
  });

  test('posts a repeated message twice, even with the same client_msg_id', async () => {
    const slack = await standIn();
    const first = await call(slack, { text: 'x', client_msg_id: 'one' });
    const second = await call(slack, { text: 'x', client_msg_id: 'one' });
    expect((second.answer as { ts: string }).ts).not.toBe((first.answer as { ts: string }).ts);
    expect(slack.messages).toHaveLength(2);
  });
});

describe('blocks', () => {
  const text = { type: 'mrkdwn', text: 'x' };
  test.each<[string, readonly object[]]>([
    ['fifty', Array(50).fill({ type: 'divider' })],
    ['a header of 150 characters', [header('x'.repeat(150))]],
    ['a section of 3,000 characters', [section('x'.repeat(3_000))]],
    ['ten fields', [fields(10)]],
    ['a field of 2,000 characters', [fields(1, 'x'.repeat(2_000))]],
    ['ten elements of context', [{ type: 'context', elements: Array(10).fill(text) }]],
    [
      'a button of 75 characters',
      [actions(button({ text: plain('x'.repeat(75)), value: 'x'.repeat(2_000) }))],
    ],
    ['25 buttons', [actions(...Array(25).fill(button({ confirm: confirm('sure?') })))]],
    ['five options', [actions({ type: 'overflow', options: Array(5).fill(option) })]],
    ['rich text', [rich({ type: 'text', text: 'x' }, { type: 'link', url: 'https://a.example' })]],
    ['a table', [{ type: 'table', rows: [[{ type: 'raw_text', text: 'x' }]] }]],
  ])('%s are accepted', async (_, blocks) => {
    expect(await hook(await standIn(), { blocks })).toEqual([200, 'ok']);
  });

  test.each<[string, readonly unknown[]]>([
    ['fifty-one', Array(51).fill({ type: 'divider' })],
    ['a header of 151 characters', [header('x'.repeat(151))]],
    ['a header of mrkdwn', [{ type: 'header', text }]],
    ['a section of 3,001 characters', [section('x'.repeat(3_001))]],
    ['a section of no characters', [section('')]],
    ['a section of neither text nor fields', [{ type: 'section' }]],
    ['eleven fields', [fields(11)]],
    ['no fields', [fields(0)]],
    ['a field of 2,001 characters', [fields(1, 'x'.repeat(2_001))]],
    ['eleven elements of context', [{ type: 'context', elements: Array(11).fill(text) }]],
    ['an image without a description', [{ type: 'image', image_url: 'https://a.example/b.png' }]],
    ['verbatim plain text', [{ type: 'section', text: { type: 'plain_text', text: 'x', verbatim: true } }]],
    ['the same id twice', Array(2).fill({ type: 'divider', block_id: 'same' })],
    ['no object', ['text']],
    ['a button of 76 characters', [actions(button({ text: plain('x'.repeat(76)) }))]],
    ['a button of no characters', [actions(button({ text: plain('') }))]],
    [
      'a button beside a section, of 76',
      [{ ...section('x'), accessory: button({ text: plain('x'.repeat(76)) }) }],
    ],
    ['a value of 2,001', [actions(button({ value: 'x'.repeat(2_001) }))]],
    ['an address of 3,001', [actions(button({ url: `https://a.example/${'x'.repeat(3_001)}` }))]],
    ['a confirmation of 301', [actions(button({ confirm: confirm('x'.repeat(301)) }))]],
    ['26 buttons', [actions(...Array(26).fill(button({})))]],
    ['no buttons', [actions()]],
    ['two buttons of one name', [actions(button({ action_id: 'a' }), button({ action_id: 'a' }))]],
    ['six options of an overflow', [actions({ type: 'overflow', options: Array(6).fill(option) })]],
    ['101 options of a select', [actions({ type: 'static_select', options: Array(101).fill(option) })]],
    [
      'an option of 76',
      [actions({ type: 'overflow', options: [{ text: plain('x'.repeat(76)), value: 'v' }] })],
    ],
    ['no elements of context', [{ type: 'context', elements: [] }]],
    ['rich text of no characters', [rich({ type: 'text', text: '' })]],
    ['a table without rows', [{ type: 'table', rows: [] }]],
    ['a cell of no characters', [{ type: 'table', rows: [[{ type: 'raw_text', text: '' }]] }]],
    ['two tables', Array(2).fill({ type: 'table', rows: [[{ type: 'raw_text', text: 'x' }]] })],
    ['two blocks of Markdown of 7,000', Array(2).fill({ type: 'markdown', text: 'x'.repeat(7_000) })],
    ['Markdown of no characters', [{ type: 'markdown', text: '' }]],
    ['a video called in 200 characters', [{ type: 'video', title: plain('x'.repeat(200)) }]],
    ['an empty id', [{ type: 'divider', block_id: '' }]],
  ])('%s are refused', async (_, blocks) => {
    expect(await hook(await standIn(), { blocks })).toEqual([400, 'invalid_blocks']);
  });

  test('of more than 13,200 characters in all are refused', async () => {
    const { answer } = await call(await standIn(), { blocks: Array(5).fill(section('x'.repeat(2_900))) });
    expect(answer).toMatchObject({ error: 'msg_blocks_too_long' });
  });
});

describe('a text', () => {
  test.each<[string, readonly string[], string]>([
    ['<!channel> <!here> <!everyone>', ['!channel', '!here', '!everyone'], '!channel !here !everyone'],
    ['<!subteam^S1|@team> <@U1> <#C1|general>', ['!subteam^S1', '@U1', '#C1'], '@team @U1 general'],
    ['&lt;!channel&gt; &amp;lt;', [], '<!channel> &lt;'],
    ['<!date^1^{time}|noon> a < b', [], 'noon a < b'],
  ])('%j mentions %j, and reads %j', (text, mentions, shown) => {
    expect(slackMarkup(text)).toEqual({ mentions, links: [], shown });
  });

  test('has the URLs of its links, whatever their labels', () => {
    expect(slackMarkup('<https://evil.example?a=1&amp;b|Reset> <https://a.example>')).toEqual({
      mentions: [],
      links: [
        { url: 'https://evil.example?a=1&b', label: 'Reset' },
        { url: 'https://a.example', label: 'https://a.example' },
      ],
      shown: 'Reset https://a.example',
    });
  });

  test('of a message is read in its text and in its blocks, but not in plain text', async () => {
    const slack = await standIn();
    await hook(slack, {
      text: '<!here>',
      blocks: [section('<@U1> <https://a.example|b>'), header('<!channel>')],
    });
    expect(slack.messages[0]).toMatchObject({
      mentions: ['!here', '@U1'],
      links: [{ url: 'https://a.example', label: 'b' }],
    });
  });
});

describe('one message a second', () => {
  test('is accepted where the rate is limited; the next one is told to wait', async () => {
    const clock = virtualClock();
    const slack = await standIn({ limitRate: true, now: clock.now });
    expect(await hook(slack, { text: '1' })).toEqual([200, 'ok']);
    expect(await hook(slack, { text: '2' })).toEqual([429, 'rate_limited']);
    const { status, headers, answer } = await call(slack, { text: '3' });
    expect([status, headers.get('retry-after'), answer]).toEqual([
      429,
      '1',
      { ok: false, error: 'ratelimited' },
    ]);
    clock.advance('1s');
    expect(await hook(slack, { text: '4' })).toEqual([200, 'ok']);
    expect(slack.messages.map(({ body }) => body.text)).toEqual(['1', '4']);
  });

  test('is not enforced by default', async () => {
    const slack = await standIn();
    for (const text of ['1', '2', '3']) expect(await hook(slack, { text })).toEqual([200, 'ok']);
  });
});

describe('trouble', () => {
  test('is returned as often as asked for, by both APIs, and then the rules apply again', async () => {
    const slack = await standIn();
    slack.failNext('rollup_error');
    expect(await hook(slack, { text: 'x' })).toEqual([500, 'rollup_error']);
    slack.failNext('fatal_error', 2);
    expect(await call(slack, { text: 'x' })).toMatchObject({ answer: { ok: false, error: 'fatal_error' } });
    expect(await call(slack, { text: 'x' })).toMatchObject({ answer: { ok: false, error: 'fatal_error' } });
    expect(await call(slack, { text: 'x' })).toMatchObject({ answer: { ok: true } });
    expect(slack.messages).toHaveLength(1);
    expect(slack.requests).toHaveLength(4);
  });

  test('that no service documents is an answer, a quotation, or a broken connection', async () => {
    const slack = await standIn();
    slack.answerNext({ status: 299, body: 'odd' });
    expect(await hook(slack, { text: 'x' })).toEqual([299, 'odd']);
    slack.answerNext('echo');
    expect(await hook(slack, { text: 'canary' })).toEqual([500, expect.stringContaining('canary')]);
    slack.answerNext('hangup');
    await expect(hook(slack, { text: 'x' })).rejects.toThrow('fetch failed');
    slack.answerNext('never', 5);
    slack.answerNext('never', 0);
    expect(await hook(slack, { text: 'x' })).toEqual([200, 'ok']);
    expect(slack.messages).toHaveLength(1);
  });
});
