import { type Channel, PosthornError } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { type SlackChannelOptions, type SlackConfigs, slackChannel } from '../src/index.js';

const channel = slackChannel();
const webhook_url = 'https://hooks.slack.com/services/T0/B0/canary';
const bot = { bot_token: 'xoxb-1-canary', channel_id: 'C024BE91L' };
const blocks_template = '[{"type":"section","text":{"type":"mrkdwn","text":"{{ event_type }}"}}]';

async function judge(configs: unknown, { config }: Channel<SlackConfigs> = channel): Promise<unknown> {
  const result = await config['~standard'].validate(configs);
  return result.issues
    ? Object.fromEntries(result.issues.map(({ path = [], message }) => [path.join('.'), message]))
    : result.value;
}

describe('valid configs are accepted', () => {
  test.each<[string, SlackConfigs]>([
    ['of an incoming webhook', { webhook_url }],
    ['of GovSlack', { webhook_url: 'https://hooks.slack-gov.com/services/T0/B0/canary' }],
    [
      'with all fields of a webhook',
      {
        webhook_url,
        channel: '#orders',
        username: 'Lädchen 📯',
        icon_emoji: ':wave::skin-tone-3:',
        icon_url: 'https://shop.example/icon.png',
        blocks_template,
      },
    ],
    ['of a bot', bot],
    ['of a bot in a workspace', { ...bot, workspace_id: 'T024BE7LD' }],
    [
      'of a webhook, with all other fields null',
      {
        webhook_url,
        channel: null,
        username: null,
        blocks_template: null,
        bot_token: null,
        channel_id: null,
        workspace_id: null,
      },
    ],
    [
      'of a bot, with all other fields null',
      { ...bot, workspace_id: null, webhook_url: null, channel: null, icon_emoji: null },
    ],
  ])('%s, unchanged', async (_, configs) => {
    expect(await judge(configs)).toEqual(configs);
  });
});

describe('invalid configs are refused with the path of each field', () => {
  const withWebhook = 'is allowed with webhook_url only, not with bot_token';
  const withBot = 'is allowed with bot_token only, not with webhook_url';
  test.each<[unknown, Record<string, unknown>]>([
    [{}, { webhook_url: 'is required, unless bot_token and channel_id are given' }],
    [{ webhook_url: null }, { webhook_url: expect.stringMatching(/^is required/) }],
    [{ channel: '#a' }, { webhook_url: expect.stringMatching(/^is required/) }],
    [{ bot_token: bot.bot_token }, { channel_id: 'is required with bot_token' }],
    [{ channel_id: bot.channel_id }, { bot_token: 'is required with channel_id' }],
    [
      { webhook_url, ...bot },
      { bot_token: withBot, channel_id: withBot },
    ],
    [{ webhook_url, workspace_id: 'T024BE7LD' }, { workspace_id: withBot }],
    [
      { ...bot, username: 'x', blocks_template },
      { username: withWebhook, blocks_template: withWebhook },
    ],
    [{ webhook_url, chanel: '#a' }, { chanel: 'is no field of a slack channel' }],
    [{ webhook_url: 5 }, { webhook_url: 'must be a string' }],
    [{ webhook_url, channel: '' }, { channel: 'must be the name of a channel' }],
    [{ webhook_url, channel: 'x'.repeat(81) }, { channel: 'must have at most 80 characters' }],
    [{ webhook_url, username: 'a\nb' }, { username: 'must be a name on one line' }],
    [{ webhook_url, icon_emoji: 'tada' }, { icon_emoji: 'must be an emoji like :tada:' }],
    [{ webhook_url, icon_url: 'javascript:1' }, { icon_url: 'must be a URL of http: or https:' }],
    [{ ...bot, bot_token: 'canary' }, { bot_token: "must be a bot's token, like xoxb-…" }],
    [{ ...bot, bot_token: 'xoxb-1\r\nx: canary' }, { bot_token: "must be a bot's token, like xoxb-…" }],
    [{ ...bot, channel_id: '#general' }, { channel_id: 'must be the id of a conversation, like C024BE91L' }],
    [{ ...bot, workspace_id: 'acme' }, { workspace_id: 'must be the id of a workspace, like T024BE7LD' }],
    ['text', { '': 'must be an object' }],
  ])('%j', async (configs, issues) => {
    expect(await judge(configs)).toEqual(issues);
    expect(JSON.stringify(await judge(configs))).not.toContain('canary');
  });

  test('with an own field __proto__', async () => {
    const configs = JSON.parse(`{"webhook_url":"${webhook_url}","__proto__":{}}`);
    expect(Object.entries((await judge(configs)) as object)).toEqual([
      ['__proto__', 'is no field of a slack channel'],
    ]);
  });
});

describe('an incoming webhook must be a URL of Slack', () => {
  const otherHost = expect.stringMatching(
    /^must be a URL of hooks\.slack\.com or hooks\.slack-gov\.com; .*hosts$/,
  );
  test.each<[string, unknown]>([
    ['https://evil.example/services/T0/B0/x', otherHost],
    ['https://hooks.slack.com.evil.example/services/T0/B0/x', otherHost],
    ['https://slack.com/services/T0/B0/x', otherHost],
    ['https://hooks.slack.com@evil.example/services/T0/B0/x', otherHost],
    ['https://127.0.0.1/services/T0/B0/x', otherHost],
    ['http://hooks.slack.com/services/T0/B0/x', expect.stringMatching(/^must begin with https:/)],
    ['https://a:b@hooks.slack.com/services/T0/B0/x', 'must not hold a user name or password'],
    ['https://hooks.slack.com:22/services/T0/B0/x', expect.stringMatching(/port/)],
    ['https://hooks.slack.com:444/services/T0/B0/x', expect.stringMatching(/^must be without a port/)],
    ['https://hooks.slack.com/workflows/T0/A0/1/x', expect.stringMatching(/not a webhook of a workflow$/)],
    ['https://hooks.slack.com/', expect.stringMatching(/^must be an incoming webhook/)],
  ])('and not %s', async (webhook_url, issue) => {
    expect(await judge({ webhook_url })).toEqual({ webhook_url: issue });
  });

  test('unless the application allows other hosts, which the client still checks', async () => {
    const options = { hosts: ['slack-proxy.example', '127.0.0.1'] };
    const proxied = { webhook_url: 'https://slack-proxy.example:8443/anything' };
    expect(await judge(proxied, slackChannel(options))).toEqual(proxied);
    const own = { webhook_url: 'https://127.0.0.1/services/T0/B0/x' };
    expect(await judge(own, slackChannel(options))).toEqual({
      webhook_url: expect.stringMatching(/public address/),
    });
  });
});

describe('a template of blocks is checked when it is saved', () => {
  test.each<[string, Record<string, unknown>]>([
    [
      '[{"type":"section","text":"{{ event_type "}]',
      { 'blocks_template.0.text': expect.stringMatching(/^line 1, column 1: /) },
    ],
    ['[{% for x in metadata %}', { blocks_template: expect.stringMatching(/^line 1, column \d+: /) }],
    ['{"blocks":[]}', { blocks_template: expect.stringMatching(/^must be a JSON array/) }],
    [' { "type": "section" }', { blocks_template: expect.stringMatching(/^must be a JSON array/) }],
    ...['"hello"', '5', 'null', '"a {{ event_type }}"'].map((template): [string, Record<string, unknown>] => [
      template,
      { blocks_template: expect.stringMatching(/^must be a JSON array/) },
    ]),
    ['["x"]', { 'blocks_template.0': 'must be a block: an object with a type' }],
    [
      '[{"type":"divider"}, null, {{ event_id }}, {"text":"{{ event_id }}"}, {"type":5}, {"type":""}]',
      Object.fromEntries(
        [1, 3, 4, 5].map((i) => [`blocks_template.${i}`, 'must be a block: an object with a type']),
      ),
    ],
    [
      '[\n{"type":"divider"}\n{"type":"divider"}]',
      { blocks_template: 'line 3, column 1: must be JSON around its placeholders' },
    ],
    [`["${'x'.repeat(100_000)}"]`, { blocks_template: expect.stringMatching(/KiB/) }],
  ])('%.60s is refused', async (blocks_template, issues) => {
    expect(await judge({ webhook_url, blocks_template })).toEqual(issues);
  });

  test.each([
    blocks_template,
    '[{% for field in metadata %}{"type":"divider"}{% unless forloop.last %},{% endunless %}{% endfor %}]',
    '{{ metadata.blocks }}',
    '"{{ metadata.blocks }}"',
    '[{{ metadata.block }}, "{{ metadata.block }}", {"type": {{ metadata.type }}}, {"type": "{{ metadata.type }}"}]',
    '{% if subject %}[]{% else %}[{"type":"divider"}]{% endif %}',
  ])('%.60s is accepted', async (blocks_template) => {
    expect(await judge({ webhook_url, blocks_template })).toEqual({ webhook_url, blocks_template });
  });
});

test.each<[unknown, string | RegExp]>([
  [null, 'options of slackChannel must be an object, not null'],
  ['text', 'options of slackChannel must be an object, not a string'],
  [{ apiURL: 'https://slack.com/api' }, 'no option is called apiURL in slackChannel'],
  [{ apiUrl: 5 }, /^apiUrl must be a URL without a trailing slash/],
  [{ apiUrl: 'slack.com/api' }, /^apiUrl must be a URL without a trailing slash/],
  [{ apiUrl: 'https://slack.com/api/' }, /^apiUrl must be a URL without a trailing slash/],
])('the options %j are refused', (options, problem) => {
  const make = () => slackChannel(options as SlackChannelOptions);
  expect(make).toThrow(PosthornError);
  expect(make).toThrow(problem);
});
