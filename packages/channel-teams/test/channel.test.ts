import { PosthornError, type WebhookEvent } from '@posthorn/core';
import type { Message, Verdict } from '@posthorn/core/channel';
import { createOutbound } from '@posthorn/outbound';
import { virtualClock } from '@posthorn/testing';
import { type TeamsStandInOptions, teamsStandIn } from '@posthorn/testing/teams-stand-in';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type TeamsChannelOptions, type TeamsConfigs, teamsChannel } from '../src/index.js';

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
  configs: TeamsConfigs,
  payload: unknown = {},
  of: Partial<Message> = {},
): Message<TeamsConfigs> => ({
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
 * Starts a stand-in that accepts four messages per second, as the connector does. Its clock advances a second per
 * attempt.
 */
async function testTeams(options?: TeamsStandInOptions) {
  const clock = virtualClock();
  const teams = await teamsStandIn({ limitRate: true, now: clock.now, ...options });
  const outbound = createOutbound(teams.channelOptions.outbound);
  onTestFinished(async () => {
    await outbound.close();
    await teams.close();
  });
  const channel = teamsChannel({ ...teams.channelOptions, outbound });
  const { signal } = new AbortController();
  return {
    ...teams,
    channel,
    send(payload: unknown = {}, of: Partial<Message> = {}, card_template?: string): Promise<Verdict> {
      clock.advance(1_000);
      return channel.send(message({ workflow_url: teams.workflowUrl, card_template }, payload, of), signal);
    },
  };
}

test("an event is a card of type, subject, fields, and time in the reader's zone", async () => {
  const teams = await testTeams();
  expect(await teams.send({ orderId: 'o1' })).toMatchObject({ outcome: 'delivered', status: 202 });
  const line = (...inlines: object[]) => ({ type: 'RichTextBlock', inlines });
  const run = (text: string, looks = {}) => ({ type: 'TextRun', text, ...looks });
  expect(teams.messages[0]!.card).toEqual({
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      line(run('order.created', { size: 'large', weight: 'bolder' })),
      line(run('order o1')),
      line(run('orderId: ', { weight: 'bolder' }), run('o1')),
      {
        type: 'TextBlock',
        text: '{{DATE(2026-11-23T10:00:00Z, SHORT)}} {{TIME(2026-11-23T10:00:00Z)}}',
        size: 'small',
        isSubtle: true,
      },
      line(run('Orders · evt_0TvKq1aBcDeFgHiJkLmNoP', { size: 'small', isSubtle: true })),
    ],
    msteams: { width: 'Full' },
  });
});

test('text of an event is never in a place where Teams interprets Markdown', async () => {
  const teams = await testTeams();
  const nasty = '[pay](https://evil.example) {{DATE(x)}} <at>all</at>';
  await teams.send(
    { [nasty]: nasty },
    { digest: [{ event: { ...event, subject: { type: nasty, id: nasty } }, payload: {} }] },
  );
  await teams.send({ [nasty]: nasty });
  for (const { card } of teams.messages) {
    const blocks = (card.body as { type: string }[]).filter(({ type }) => type === 'TextBlock');
    expect(JSON.stringify(blocks)).not.toContain('evil.example');
    expect(JSON.stringify(card)).toContain('evil.example');
  }
});

test('a template renders a custom card with its values', async () => {
  const teams = await testTeams();
  const template = {
    type: 'AdaptiveCard',
    version: '1.4',
    body: [{ type: 'TextBlock', text: 'Order {{ metadata.id }}' }],
    actions: [{ type: 'Action.OpenUrl', title: 'Open', url: '{{ metadata.url }}' }],
  };
  const url = 'https://shop.example/?a=1&b=2';
  expect(await teams.send({ id: 'o1', url }, {}, JSON.stringify(template))).toMatchObject({
    outcome: 'delivered',
  });
  expect(teams.messages[0]!.card).toMatchObject({ body: [{ text: 'Order o1' }], actions: [{ url }] });
});

test('a value in a template is escaped where Teams interprets Markdown, and unchanged elsewhere', async () => {
  const teams = await testTeams();
  const fact = { title: '{{ metadata.x }}', value: '{{ metadata.x }}' };
  const template = {
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      { type: 'TextBlock', text: '**{{ metadata.x }}**' },
      { type: 'FactSet', facts: [fact] },
      { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: '{{ metadata.x }}' }, '{{ metadata.x }}'] },
    ],
    actions: [{ type: 'Action.OpenUrl', title: '{{ metadata.x }}', url: '{{ metadata.link }}' }],
  };
  const x = '[pay](https://evil.example) *now*';
  await teams.send({ x, link: 'javascript:alert(1)' }, {}, JSON.stringify(template));
  const escaped = '\\[pay\\]\\(https\\://evil.example\\) \\*now\\*';
  expect(teams.messages[0]!.card).toMatchObject({
    body: [
      { text: `**${escaped}**` },
      { facts: [{ title: escaped, value: escaped }] },
      { inlines: [{ text: x }, x] },
    ],
    actions: [{ title: x, url: '' }],
  });
});

describe('a message keeps the limit of 28 KB with', () => {
  test.each<[string, unknown, Partial<Message>?]>([
    ['a field of 50,000 characters', { long: '世'.repeat(50_000) }],
    [
      'sixty long fields',
      Object.fromEntries(
        Array.from({ length: 60 }, (_, i) => [`${'世'.repeat(200)}${i}`, '"'.repeat(5_000)]),
      ),
    ],
    ['a digest', {}, { digest: Array(1_000).fill({ event, payload: {} }) }],
  ])('%s', async (_, payload, of) => {
    const teams = await testTeams();
    expect(await teams.send(payload, of)).toMatchObject({ outcome: 'delivered' });
    expect(JSON.stringify(teams.messages[0]!.card)).toMatch(/…|and \d+ more/);
  });

  test('any payload', async () => {
    const teams = await testTeams();
    const anything = fc.string({ unit: 'binary', maxLength: 100 }).map((text) => text.repeat(50));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(anything, fc.oneof(anything, fc.jsonValue()), { maxKeys: 12 }),
        async (payload) => {
          expect(await teams.send(payload)).toMatchObject({ outcome: 'delivered' });
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a digest, which counts the events that do not fit', async () => {
    const teams = await testTeams();
    await teams.send({}, { digest: Array(1_000).fill({ event, payload: {} }) });
    const lines = JSON.stringify(teams.messages[0]!.card).match(/order\.created/g)!.length;
    expect(lines).toBeGreaterThan(50);
    expect(JSON.stringify(teams.messages[0]!.card)).toContain(`and ${1_000 - lines} more`);
  });
});

describe('a template that renders to more than 28 KB is cut, with a note that counts the rest, in its', () => {
  const sentOf = async (body: string, payload: unknown = {}, of: Partial<Message> = {}) => {
    const teams = await testTeams();
    const template = `{"type":"AdaptiveCard","version":"1.4","body":${body},"actions":[]}`;
    expect(await teams.send(payload, of, template)).toMatchObject({ outcome: 'delivered' });
    const [{ card }] = teams.messages as [(typeof teams.messages)[number]];
    expect(card).toMatchObject({ type: 'AdaptiveCard', version: '1.4', actions: [] });
    return card.body as readonly Readonly<Record<string, unknown>>[];
  };
  const digest = Array.from({ length: 500 }, (_, i) => ({
    event: { ...event, type: `order.${i}`, subject: null },
    payload: {},
  }));
  const loop = (item: string) =>
    `{% for one in events %}${item}{% unless forloop.last %},{% endunless %}{% endfor %}`;
  const block = '{"type":"TextBlock","text":"{{ one.type }} of the shop, and some more of it","wrap":true}';

  test('elements', async () => {
    const body = await sentOf(`[${loop(block)}]`, {}, { digest });
    const kept = body.slice(0, -1);
    expect(kept.length).toBeGreaterThan(200);
    expect(kept.map(({ text }) => String(text).split(' ')[0])).toEqual(
      digest.slice(0, kept.length).map((one) => one.event.type),
    );
    expect(JSON.stringify(body.at(-1))).toContain(`"… and ${500 - kept.length} more"`);
  });

  test('elements in a container', async () => {
    const heading = '{"type":"TextBlock","text":"Orders"}';
    const [first, container, ...rest] = await sentOf(
      `[${heading},{"type":"Container","items":[${loop(block)}]}]`,
      {},
      { digest },
    );
    expect(first).toEqual(JSON.parse(heading));
    const items = container!.items as unknown[];
    expect(items.length).toBeGreaterThan(200);
    expect(JSON.stringify(items.at(-1))).toContain(`"… and ${500 - (items.length - 1)} more"`);
    expect(rest).toEqual([]);
  });

  test('facts and text runs', async () => {
    const fact = '{"title":"{{ one.type }}","value":"a thing that was sold in the shop today"}';
    const [set] = await sentOf(`[{"type":"FactSet","facts":[${loop(fact)}]}]`, {}, { digest });
    const facts = set!.facts as { title: string; value: string }[];
    expect(facts.at(-1)).toEqual({ title: '…', value: `… and ${500 - (facts.length - 1)} more` });
    const run = '{"type":"TextRun","text":"{{ one.type }}, a thing that was sold in the shop today"}';
    const [line] = await sentOf(`[{"type":"RichTextBlock","inlines":[${loop(run)}]}]`, {}, { digest });
    const inlines = line!.inlines as { text: string }[];
    expect(inlines.at(-1)!.text).toBe(` … and ${500 - (inlines.length - 1)} more`);
  });

  test('long text', async () => {
    const long = '"世\n'.repeat(10_000);
    const [text, ...rest] = await sentOf(
      '[{"type":"TextBlock","text":"{{ metadata.long }}"},{"type":"TextBlock","text":"last"}]',
      { long },
    );
    expect(String(text!.text).length).toBeGreaterThan(5_000);
    expect(String(text!.text)).toMatch(/…$/);
    expect(JSON.stringify(rest)).toContain('"… and 1 more"');
  });
});

describe('a template fails the attempt, and nothing is sent, if it renders to', () => {
  test.each<[string, string, string | RegExp]>([
    ['a list', '[]', 'card_template must render to an object of the type AdaptiveCard'],
    [
      'another card',
      '{"type":"MessageCard"}',
      'card_template must render to an object of the type AdaptiveCard',
    ],
    ['text that is not JSON', '{% if true %}no{% endif %}', /not JSON/],
    [
      'more than 28 KB',
      '{"type":"AdaptiveCard","text":"{{ metadata.long }}"}',
      /^card_template renders to 30\d\d\d bytes, more than 28672$/,
    ],
  ])('%s', async (_, template, problem) => {
    const teams = await testTeams();
    const verdict = await teams.send({ long: 'x'.repeat(30_000) }, {}, template);
    expect(verdict).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringMatching(problem),
    });
    expect(teams.requests).toEqual([]);
  });
});

describe('a response', () => {
  test('of a workflow that was removed, disabled, or has another signature, is recognized', async () => {
    const teams = await testTeams();
    const { signal } = new AbortController();
    const unsigned = message({ workflow_url: `${teams.workflowUrl}x` });
    expect(await teams.channel.send(unsigned, signal)).toMatchObject({ outcome: 'failed', status: 401 });
    teams.turnOffWorkflow();
    expect(await teams.send()).toMatchObject({ outcome: 'failed', message: 'the workflow is turned off' });
    teams.removeWorkflow();
    expect(await teams.send()).toMatchObject({ outcome: 'gone', message: 'there is no such workflow' });
  });

  test.each<[number, string, string]>([
    [200, '', 'delivered'],
    [400, '{"error":{"code":"TriggerInputSchemaMismatch"}}', 'rejected'],
    [413, '', 'failed'],
    [410, '<h1>Gone</h1>', 'failed'],
    [200, '<h1>Please log in</h1>', 'failed'],
    [413, '{"error":{"code":"RequestEntityTooLarge"}}', 'rejected'],
    [404, 'a page of a proxy', 'failed'],
    [404, '{"error":null}', 'failed'],
    [502, '{"error":{"code":"NoResponse"}}', 'failed'],
  ])('of %i with %j: %s', async (status, body, outcome) => {
    const teams = await testTeams();
    teams.answerNext({ status, body });
    expect(await teams.send()).toMatchObject({ outcome, status });
  });

  test('of too many requests makes the delivery wait as long as it says', async () => {
    const teams = await testTeams({ limitRate: true, now: () => 0 });
    for (let i = 0; i < 4; i++) expect(await teams.send()).toMatchObject({ outcome: 'delivered' });
    expect(await teams.send()).toMatchObject({ outcome: 'rate_limited', status: 429, retryAfterMs: 1_000 });
  });

  test('is recorded without the URL and its signature', async () => {
    const teams = await testTeams();
    const sig = new URL(teams.workflowUrl).searchParams.get('sig')!;
    teams.answerNext({ status: 500, body: `no ${teams.workflowUrl} and no ${sig}` });
    expect((await teams.send()).response).not.toContain(sig);
  });
});

describe('configs', () => {
  const channel = teamsChannel();
  const workflow_url =
    'https://0a1b.0c.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=canary';

  test.each<TeamsConfigs>([
    { workflow_url },
    {
      workflow_url:
        'https://prod-01.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=x',
    },
    { workflow_url, card_template: null },
    { workflow_url, card_template: '{"type":"AdaptiveCard","body":[]}' },
    { workflow_url, card_template: '{{ metadata.card }}' },
    { workflow_url, card_template: '{"type":"{{ metadata.type }}"}' },
    { workflow_url, card_template: '{% if true %}[]{% endif %}' },
  ])('%j are accepted', async (configs) => {
    expect(await channel.config['~standard'].validate(configs)).toEqual({ value: configs });
  });

  test.each<[unknown, readonly (string | number)[], string | RegExp]>([
    [{}, ['workflow_url'], 'must be a string'],
    [
      { workflow_url: 'https://logic.azure.com.evil.example/?sig=x' },
      ['workflow_url'],
      /^must be a URL of \*\.api\.powerplatform\.com or/,
    ],
    [{ workflow_url: workflow_url.replace('https', 'http') }, ['workflow_url'], /^must begin with https:/],
    [{ workflow_url, card_template: '{"a":"{{ b "}' }, ['card_template', 'a'], /^line 1, column 1: /],
    ...['[1]', '{"type":"X"}', '{}', '"AdaptiveCard"', 'null', '{"body":"{{ event_type }}"}'].map(
      (card_template): [unknown, string[], string] => [
        { workflow_url, card_template },
        ['card_template'],
        'must render to an object of the type AdaptiveCard',
      ],
    ),
    [
      { workflow_url, card_template: '{\n"type":"AdaptiveCard"\n"body":[]}' },
      ['card_template'],
      'line 3, column 1: must be JSON around its placeholders',
    ],
    [{ workflow_url, card: '{}' }, ['card'], 'is no field of a teams channel'],
  ])('%j are refused at %j', async (configs, path, problem) => {
    const { issues = [] } = await channel.config['~standard'].validate(configs);
    expect(issues).toMatchObject([{ path, message: expect.stringMatching(problem) }]);
    expect(JSON.stringify(issues)).not.toContain('canary');
  });
});

test('a preview shows exactly the message that is sent', async () => {
  const teams = await testTeams();
  await teams.send({ a: 1 });
  const parts = await teams.channel.preview!(message({ workflow_url: teams.workflowUrl }, { a: 1 }));
  expect(parts.map(({ name, type, text }) => [name, type, JSON.parse(text)])).toEqual([
    ['body', 'application/json', teams.messages[0]!.body],
  ]);
});

test('an unknown option is refused', () => {
  const make = () => teamsChannel({ host: 'x' } as TeamsChannelOptions);
  expect(make).toThrow(PosthornError);
  expect(make).toThrow('unknown option host of teamsChannel');
});

test('numbers of the event keep their spelling', async () => {
  const teams = await testTeams();
  const payload = '{"account":9007199254740993,"owed":42.00}';
  const of = { event: { ...event, payload } };
  const card = {
    type: 'AdaptiveCard',
    version: '1.4',
    body: [{ type: 'Data', id: '{{ metadata.account }}' }],
  };
  await teams.send(JSON.parse(payload), of);
  await teams.send(JSON.parse(payload), of, JSON.stringify(card));
  const [usual, own] = teams.requests.map(({ body }) => body);
  expect(usual).toMatch(/"9007199254740993".*"42.00"/);
  expect(own).toContain('"id":9007199254740993');
});

test('text of an event is never a date function of a card, with and without a template', async () => {
  const teams = await testTeams();
  const note = '{{DATE(2026-11-23T10:00:00Z, SHORT)}} {{ x }}';
  const inlines = [{ type: 'TextRun', text: '{{ metadata.note }}' }];
  const card = { type: 'AdaptiveCard', version: '1.4', body: [{ type: 'RichTextBlock', inlines }] };
  await teams.send({ note });
  await teams.send({ note }, {}, JSON.stringify(card));
  for (const { body } of teams.requests) {
    expect(body).toContain('{\u200b{DATE(2026-11-23T10:00:00Z, SHORT)}} {{ x }}');
  }
});
