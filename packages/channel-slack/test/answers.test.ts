import { describe, expect, test } from 'vitest';
import { message, testSlack } from './message.js';

describe('an incoming webhook that answers', () => {
  test.each<[string, number, string]>([
    ['invalid_payload', 400, 'rejected'],
    ['invalid_blocks', 400, 'rejected'],
    ['no_text', 400, 'rejected'],
    ['msg_too_long', 400, 'rejected'],
    ['too_many_attachments', 400, 'rejected'],
    ['user_not_found', 400, 'gone'],
    ['action_prohibited', 403, 'gone'],
    ['invalid_token', 403, 'gone'],
    ['posting_to_general_channel_denied', 403, 'gone'],
    ['team_disabled', 403, 'gone'],
    ['no_active_hooks', 404, 'gone'],
    ['no_service', 404, 'gone'],
    ['no_service_id', 404, 'gone'],
    ['no_team', 404, 'gone'],
    ['channel_not_found', 404, 'gone'],
    ['channel_is_archived', 410, 'gone'],
    ['rollup_error', 500, 'failed'],
    ['some_news', 500, 'failed'],
  ])('%s with %i: %s', async (error, status, outcome) => {
    const slack = await testSlack();
    slack.failNext(error);
    const verdict = await slack.send(message(slack.webhook));
    expect(verdict).toMatchObject({ outcome, kind: 'http_status', status, response: error });
    if (outcome !== 'failed')
      expect(verdict).toMatchObject({ message: expect.stringContaining(`Slack answered ${error}: `) });
    expect(slack.requests).toHaveLength(1);
  });

  test.each([200, 302, 400, 401, 403, 404, 408, 410, 413, 502])(
    'with %i and a page of a proxy has failed',
    async (status) => {
      const slack = await testSlack();
      for (const configs of [slack.webhook, slack.bot]) {
        slack.answerNext({ status, body: '<h1>Access denied</h1>' });
        expect(await slack.send(message(configs))).toMatchObject({ outcome: 'failed', status });
      }
    },
  );

  test('an unknown word with 400 has rejected the message', async () => {
    const slack = await testSlack();
    slack.answerNext({ status: 400, body: 'invalid_something' });
    expect(await slack.send(message(slack.webhook))).toMatchObject({ outcome: 'rejected', status: 400 });
  });
});

test('an incoming webhook that answers 200 has the message, whatever the word', async () => {
  const slack = await testSlack();
  slack.answerNext({ status: 200, body: 'no_service' });
  expect(await slack.send(message(slack.webhook))).toMatchObject({ outcome: 'delivered' });
});

describe('chat.postMessage that answers', () => {
  const rejected = [
    'invalid_blocks',
    'invalid_blocks_format',
    'msg_too_long',
    'msg_blocks_too_long',
    'no_text',
    'too_many_attachments',
    'attachment_payload_limit_exceeded',
    'invalid_arguments',
    'invalid_json',
    'json_not_object',
    'duplicate_message_not_found',
  ];
  const gone = [
    'channel_not_found',
    'is_archived',
    'team_not_found',
    'invalid_auth',
    'not_authed',
    'not_allowed_token_type',
    'token_revoked',
    'token_expired',
    'account_inactive',
  ];
  const failed = [
    'internal_error',
    'fatal_error',
    'service_unavailable',
    'request_timeout',
    'message_limit_exceeded',
    'team_added_to_org',
    'org_login_required',
    'ekm_access_denied',
    'not_in_channel',
    'missing_scope',
    'no_permission',
    'restricted_action',
    'some_news',
  ];
  const all = [
    ...rejected.map((error) => [error, 'rejected'] as const),
    ...gone.map((error) => [error, 'gone'] as const),
    ...failed.map((error) => [error, 'failed'] as const),
  ];
  test.each(all)('%s with status 200: %s', async (error, outcome) => {
    const slack = await testSlack();
    slack.answerNext({ status: 200, body: JSON.stringify({ ok: false, error }) });
    const verdict = await slack.send(message(slack.bot));
    expect(verdict).toMatchObject({ outcome, kind: 'http_status', status: 200 });
    expect(verdict).toMatchObject({ message: expect.stringContaining(`Slack answered ${error}`) });
  });

  test.each<[string, number, string, string]>([
    ['ok', 200, '{"ok":true}', 'delivered'],
    ['ok in a long response that is cut', 200, `{"ok":true,"message":"${'x'.repeat(100_000)}"}`, 'delivered'],
    [
      'an error in a long response that is cut',
      200,
      `{"ok":false,"message":"${'x'.repeat(100_000)}"}`,
      'failed',
    ],
    ['nothing', 200, '', 'failed'],
    ['text that is not JSON', 200, '<h1>ok</h1>', 'failed'],
    ['JSON that is not an object', 200, '"ok"', 'failed'],
    ['ok of the wrong type', 200, '{"ok":"true"}', 'failed'],
    ['an error without a word', 200, '{"ok":false}', 'failed'],
    ['an error with an invalid word', 200, '{"ok":false,"error":"<script>"}', 'failed'],
    ['an error named like an object property', 200, '{"ok":false,"error":"__proto__"}', 'failed'],
    ['ok with an error status', 500, '{"ok":true}', 'failed'],
    ['an error with an error status', 401, '{"ok":false,"error":"invalid_auth"}', 'gone'],
    ['a page of a proxy', 403, 'forbidden', 'failed'],
  ])('%s', async (_, status, body, outcome) => {
    const slack = await testSlack();
    slack.answerNext({ status, body });
    expect(await slack.send(message(slack.bot))).toMatchObject({ outcome, status });
  });
});

describe('a channel that accepts one message per second', () => {
  test.each(['webhook', 'bot'] as const)('makes the %s wait as long as requested', async (door) => {
    const slack = await testSlack({ limitRate: true, now: () => 0 });
    expect(await slack.send(message(slack[door]))).toMatchObject({ outcome: 'delivered' });
    const another = message(slack[door], undefined, { deliveryId: 'dlv_another' });
    expect(await slack.send(another)).toMatchObject({
      outcome: 'rate_limited',
      message: 'Slack answered 429: too many messages',
      status: 429,
      retryAfterMs: 1_000,
    });
    expect(slack.messages).toHaveLength(1);
  });

  test.each([
    ['webhook', { status: 429, body: 'rate_limited' }, 1_000],
    ['webhook', { status: 429, headers: { 'retry-after': '30' }, body: '' }, 30_000],
    ['bot', { status: 200, body: '{"ok":false,"error":"ratelimited"}' }, 1_000],
    ['bot', { status: 200, body: '{"ok":false,"error":"rate_limited"}' }, 1_000],
    ['bot', { status: 429, headers: { 'retry-after': '30' }, body: '<h1>slow down</h1>' }, 30_000],
  ] as const)('is recognized as busy by the %s: %j', async (door, answer, retryAfterMs) => {
    const slack = await testSlack();
    slack.answerNext(answer);
    expect(await slack.send(message(slack[door]))).toMatchObject({ outcome: 'rate_limited', retryAfterMs });
  });
});
