import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { until } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { type SlackConfigs, slackChannel } from '../src/index.js';
import { event, message, type TestSlack, testSlack } from './message.js';

describe('a bot', () => {
  test('posts to its channel, with its token', async () => {
    const slack = await testSlack();
    expect(await slack.send(message({ ...slack.bot, workspace_id: 'T0STANDIN' }))).toMatchObject({
      outcome: 'delivered',
    });
    const [request] = slack.requests;
    expect(request!.path).toBe('/api/chat.postMessage');
    expect(request!.headers).toMatchObject({
      authorization: `Bearer ${slack.botToken}`,
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'Posthorn',
    });
    expect(slack.messages[0]!.body).toMatchObject({ channel: slack.channelId });
    expect(slack.messages[0]!.body).not.toHaveProperty('workspace_id');
  });

  test('with a revoked token or an archived channel is gone', async () => {
    const slack = await testSlack();
    slack.archiveChannel();
    expect(await slack.send(message(slack.bot))).toMatchObject({ outcome: 'gone' });
    slack.revokeToken();
    expect(await slack.send(message(slack.bot))).toMatchObject({
      outcome: 'gone',
      message: 'Slack answered token_revoked: the token was revoked',
    });
  });

  test('retries with the same id, by which Slack may recognize the message', async () => {
    const slack = await testSlack();
    slack.answerNext('hangup');
    expect(await slack.send(message(slack.bot))).toMatchObject({ outcome: 'failed', kind: 'reset' });
    await slack.send(message(slack.bot, undefined, { attempt: 2 }));
    const [first, second] = slack.requests.map(({ body }) => JSON.parse(body).client_msg_id);
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(second).toBe(first);
  });

  test('posts again with a new id after a manual retry', async () => {
    const slack = await testSlack();
    await slack.send(message(slack.bot));
    await slack.send(message(slack.bot, undefined, { attempt: 2, attemptsBeforeRetry: 1 }));
    const [first, second] = slack.messages.map(({ body }) => body.client_msg_id);
    expect(second).not.toBe(first);
  });
});

describe('a channel', () => {
  test('never sends to another host, even if one was stored before the current rules', async () => {
    const slack = await testSlack();
    const strict = slackChannel({ outbound: slack.channelOptions.outbound });
    const { signal } = new AbortController();
    const verdict = await strict.send(message(slack.webhook), signal);
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'address_forbidden' });
    expect(slack.requests).toEqual([]);
  });

  test('ends an attempt at once when it is aborted', async () => {
    const slack = await testSlack();
    slack.answerNext('never');
    const abort = new AbortController();
    const verdict = slack.send(message(slack.webhook), abort.signal);
    await until(() => slack.requests.length === 1);
    abort.abort();
    expect(await verdict).toMatchObject({ outcome: 'failed', kind: 'timeout' });
  });

  test('records neither token nor URL, nor the keys in them', async () => {
    const slack = await testSlack();
    const [, team, service, key] = new URL(slack.webhookUrl).pathname.split('/').slice(1);
    slack.answerNext({ status: 500, body: `no ${slack.webhookUrl} and no ${key}` });
    const ofWebhook = await slack.send(message(slack.webhook));
    expect(ofWebhook.response).not.toContain(key);
    expect(ofWebhook.response).not.toContain(`${team}/${service}`);
    slack.answerNext('echo');
    const ofBot = await slack.send(message(slack.bot));
    expect(ofBot.response).toContain('authorization');
    expect(ofBot.response).not.toContain(slack.botToken.split('-').at(-1));
  });
});

describe('with the engine', () => {
  async function engine(slack: TestSlack, configs: SlackConfigs) {
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [slackChannel(slack.channelOptions)],
      encryption: { keys: [{ id: 'k1', key: Buffer.alloc(32, 7) }] },
    });
    const channels = [{ channel: 'slack', configs }] as const;
    const webhook = await dispatcher.webhooks.create({ name: 'Orders', eventTypes: ['*'], channels });
    return { dispatcher, webhook };
  }

  test('an event is delivered, and secrets are read as ***', async () => {
    const slack = await testSlack();
    const { dispatcher, webhook } = await engine(slack, slack.bot);
    await dispatcher.dispatch('order.created', { orderId: 'o1' });
    await dispatcher.drain();
    expect(slack.messages).toHaveLength(1);
    expect(webhook.channels[0]!.configs).toEqual({ bot_token: '***', channel_id: slack.channelId });
    const other = await engine(slack, slack.webhook);
    expect(other.webhook.channels[0]!.configs).toEqual({ webhook_url: '***' });
  });

  test('a webhook whose channel is archived is disabled', async () => {
    const slack = await testSlack();
    const { dispatcher, webhook } = await engine(slack, slack.webhook);
    slack.archiveChannel();
    await dispatcher.dispatch('order.created', {});
    await dispatcher.drain();
    expect(await dispatcher.webhooks.get(webhook.id)).toMatchObject({ isActive: false });
  });

  test('a message that Slack will never accept is dead after one attempt', async () => {
    const slack = await testSlack();
    const { dispatcher, webhook } = await engine(slack, slack.webhook);
    slack.failNext('invalid_payload');
    await dispatcher.dispatch('order.created', {});
    await dispatcher.drain();
    const { items } = await dispatcher.deliveries.list();
    expect(items).toMatchObject([{ status: 'dead', attempts: 1 }]);
    expect(await dispatcher.webhooks.get(webhook.id)).toMatchObject({ isActive: true });
  });
});

test('numbers of the event keep their spelling', async () => {
  const slack = await testSlack();
  const payload = '{"account":9007199254740993,"owed":42.00}';
  const blocks = [
    { type: 'section', text: { type: 'plain_text', text: '{{ metadata.owed }}' } },
    { type: 'divider', n: '{{ metadata.account }}' },
  ];
  for (const blocks_template of [undefined, JSON.stringify(blocks)]) {
    const of = { event: { ...event, payload } };
    expect(
      await slack.send(message({ ...slack.webhook, blocks_template }, JSON.parse(payload), of)),
    ).toMatchObject({ outcome: 'delivered' });
  }
  const [usual, own] = slack.requests.map(({ body }) => body);
  expect(usual).toMatch(/9007199254740993".*42.00"/);
  expect(own).toMatch(/"text":"42.00".*"n":9007199254740993/);
});
