import type { Channel } from '@posthorn/core';
import { delivered, failed, gone, rejected } from '@posthorn/core/channel';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

/** Creates a webhook that sends an email once Slack has failed `failedAttempts` times. */
async function slackThenEmail(failedAttempts: number) {
  const slack = recordingChannel('slack');
  const email = recordingChannel('email');
  const posthorn = testDispatcher({
    channels: [slack, email],
    retry: { schedule: ['1m', '10m', '1h'], jitter: 0 },
  });
  const webhook = await posthorn.webhooks.create({
    name: 'on call',
    eventTypes: ['*'],
    channels: [
      { channel: 'slack', configs: {} },
      { channel: 'email', configs: {}, onlyAfter: { channel: 'slack', failedAttempts } },
    ],
  });
  return { posthorn, slack, email, webhook };
}

describe('a channel that waits for another to fail', () => {
  test('gets nothing that the other one delivers', async () => {
    const { posthorn, slack, email } = await slackThenEmail(1);
    expect(await posthorn.dispatch('disk.full', 1)).toMatchObject({ deliveries: 1 });
    await posthorn.advance('1d');
    expect([slack.deliveries.length, email.attempts.length]).toEqual([1, 0]);
  });

  test('gets an event once, after this many failures, while the other one goes on', async () => {
    const { posthorn, slack, email } = await slackThenEmail(2);
    slack.failNext(3);
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance(0);
    expect(email.attempts).toHaveLength(0);
    await posthorn.advance('1m');
    expect(email.deliveries.map(({ payload }) => payload)).toEqual([1]);
    await posthorn.advance('1d');
    expect([slack.deliveries.length, email.attempts.length]).toEqual([1, 1]);
  });

  test.each([
    ['refused it', rejected('http_status', 'no such room')],
    ['is gone', gone('http_status', 'archived')],
  ])(
    'gets an event at once where the other one %s for good, and so each event after it',
    async (_, verdict) => {
      const { posthorn, slack, email, webhook } = await slackThenEmail(3);
      slack.failNext(2, verdict);
      for (const payload of [1, 2]) {
        await posthorn.dispatch('disk.full', payload);
        await posthorn.advance(0);
      }
      await posthorn.advance('1d');
      expect(email.deliveries.map(({ payload }) => payload)).toEqual([1, 2]);
      expect(slack.attempts).toHaveLength(2);
      expect(await posthorn.webhooks.get(webhook.id)).toMatchObject({ isActive: true });
    },
  );

  test('gets nothing where the application cancels the delivery, or the webhook drops the other channel', async () => {
    const { posthorn, slack, email, webhook } = await slackThenEmail(2);
    slack.failNext(100);
    await posthorn.dispatch('disk.full', 'cancelled');
    await posthorn.advance(0);
    const [first] = (await posthorn.deliveries.list()).items;
    await posthorn.deliveries.cancel(first!.id);
    await posthorn.advance('1d');
    await posthorn.dispatch('disk.full', 'dropped');
    await posthorn.advance(0);
    await posthorn.webhooks.update(webhook.id, { channels: [{ channel: 'email', configs: {} }] });
    await posthorn.advance('1d');
    expect((await posthorn.deliveries.list()).items).toMatchObject([
      { channel: 'slack', status: 'cancelled' },
      { channel: 'slack', status: 'cancelled' },
    ]);
    expect(email.attempts).toEqual([]);
  });

  test('has its own retries and its own log', async () => {
    const { posthorn, slack, email } = await slackThenEmail(1);
    slack.failNext(100);
    email.failNext(1);
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance('1d');
    const { items } = await posthorn.deliveries.list();
    expect(items.map(({ channel, status, attempts }) => [channel, status, attempts]).sort()).toEqual([
      ['email', 'delivered', 2],
      ['slack', 'dead', 4],
    ]);
  });

  test('may have another channel wait for it', async () => {
    const channels = ['slack', 'email', 'sms'].map((type) => recordingChannel(type));
    const posthorn = testDispatcher({ channels, retry: { schedule: ['1m'], jitter: 0 } });
    await posthorn.webhooks.create({
      name: 'on call',
      eventTypes: ['*'],
      channels: [
        { channel: 'slack', configs: {} },
        { channel: 'email', configs: {}, onlyAfter: { channel: 'slack', failedAttempts: 1 } },
        { channel: 'sms', configs: {}, onlyAfter: { channel: 'email', failedAttempts: 2 } },
      ],
    });
    for (const channel of channels.slice(0, 2)) channel.failNext(100);
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance('1h');
    expect(channels.map(({ attempts }) => attempts.length)).toEqual([2, 2, 1]);
  });
});

describe('a webhook is refused where a channel waits', () => {
  const slack = { channel: 'slack', configs: {} };
  const after = (channel: string) => ({ onlyAfter: { channel, failedAttempts: 1 } });
  test.each([
    [
      'for a channel that it does not have',
      [slack, { ...slack, channel: 'email', ...after('sms') }],
      1,
      /another channel/,
    ],
    ['for itself', [{ ...slack, ...after('slack') }], 0, /another channel/],
    [
      'for one of several, without an id',
      [slack, slack, { ...slack, channel: 'email', ...after('slack') }],
      2,
      /several match: use the id/,
    ],
    [
      'for one that waits for it in turn',
      [
        { ...slack, ...after('email') },
        { ...slack, channel: 'email', ...after('slack') },
      ],
      0,
      /waits for this one/,
    ],
  ])('%s', async (_, channels, at, message) => {
    const { webhooks } = testDispatcher({ channels: [recordingChannel('slack'), recordingChannel('email')] });
    const created = webhooks.create({ name: 'w', eventTypes: ['*'], channels });
    await expect(created).rejects.toMatchObject({
      code: 'invalid_webhook',
      issues: expect.arrayContaining([
        { path: ['channels', at, 'onlyAfter', 'channel'], message: expect.stringMatching(message) },
      ]),
    });
  });

  test('for zero failures, or with an unknown field', async () => {
    const { webhooks } = testDispatcher({ channels: [recordingChannel('slack')] });
    for (const onlyAfter of [
      { channel: 'slack', failedAttempts: 0 },
      { channel: 'slack', failedAttempts: 1, minutes: 3 },
    ]) {
      const created = webhooks.create({ name: 'w', eventTypes: ['*'], channels: [{ ...slack, onlyAfter }] });
      await expect(created).rejects.toMatchObject({ code: 'invalid_webhook' });
    }
  });
});

describe('the checkpoint of an attempt', () => {
  const checkpointOf = (answers: readonly (string | undefined | 'ok' | 'throws')[]) => {
    const seen: (string | undefined)[] = [];
    const channel: Channel = {
      type: 'list',
      config: z.unknown() as unknown as Channel['config'],
      async send({ checkpoint }) {
        const answer = answers[seen.push(checkpoint) - 1];
        if (answer === 'ok') return delivered();
        if (answer === 'throws') throw new Error('thrown');
        return failed('http_status', 'no', answer === undefined ? {} : { checkpoint: answer });
      },
    };
    return { channel, seen };
  };

  test('is kept until another attempt leaves one, also where the engine ended an attempt', async () => {
    const { channel, seen } = checkpointOf(['a', 'throws', undefined, 'b', 'ok']);
    const posthorn = testDispatcher({ channels: [channel], retry: { schedule: [1, 1, 1, 1], jitter: 0 } });
    await posthorn.webhooks.create({
      name: 'w',
      eventTypes: ['*'],
      channels: [{ channel: 'list', configs: {} }],
    });
    await posthorn.dispatch('a.b', 1);
    await posthorn.advance('1m');
    expect(seen).toEqual([undefined, 'a', 'a', 'a', 'b']);
  });

  test('is passed to a manual retry, except of a delivered delivery', async () => {
    const { channel, seen } = checkpointOf(['a', 'b', 'ok', 'ok']);
    const posthorn = testDispatcher({ channels: [channel], retry: { schedule: ['1m'], jitter: 0 } });
    await posthorn.webhooks.create({
      name: 'w',
      eventTypes: ['*'],
      channels: [{ channel: 'list', configs: {} }],
    });
    await posthorn.dispatch('a.b', 1);
    await posthorn.advance('1h');
    const { id, status } = (await posthorn.deliveries.list()).items[0]!;
    expect(status).toBe('dead');
    for (const _ of ['of what is dead', 'of what is delivered']) {
      await posthorn.deliveries.retry(id);
      await posthorn.drain();
    }
    expect(seen).toEqual([undefined, 'a', 'b', undefined]);
  });

  test('is refused where it exceeds 16 Ki characters or is not a string; the verdict counts', async () => {
    for (const checkpoint of ['x'.repeat(16 * 1024 + 1), 7 as unknown as string]) {
      const { channel, seen } = checkpointOf(['a', checkpoint, 'ok']);
      const posthorn = testDispatcher({ channels: [channel], retry: { schedule: [1, 1], jitter: 0 } });
      const errors: unknown[] = [];
      posthorn.on('error', ({ code, message }) => void errors.push([code, message]));
      await posthorn.webhooks.create({
        name: 'w',
        eventTypes: ['*'],
        channels: [{ channel: 'list', configs: {} }],
      });
      await posthorn.dispatch('a.b', 1);
      await posthorn.advance('1m');
      expect(seen, 'the earlier one is kept').toEqual([undefined, 'a', 'a']);
      expect(errors).toEqual([
        ['checkpoint_refused', expect.stringMatching(/^the channel list left a checkpoint /)],
      ]);
      const [delivery] = (await posthorn.deliveries.list()).items;
      const attempts = await posthorn.deliveries.attempts(delivery!.id);
      expect(attempts.map(({ outcome, message }) => [outcome, message])).toEqual([
        ['failed', 'no'],
        ['failed', 'no'],
        ['delivered', null],
      ]);
    }
  });
});
