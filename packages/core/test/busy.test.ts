import { createDispatcher } from '@posthorn/core';
import { delivered, failed, type Message, rateLimited, type Verdict } from '@posthorn/core/channel';
import type { DeliveryStore } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher, virtualClock } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

/** Accepts `most` messages per window; answers the rest with the time to wait. */
function limited(now: () => number, most: number, windowMs: number) {
  let takenAt: number[] = [];
  return (): Verdict => {
    takenAt = takenAt.filter((at) => at > now() - windowMs);
    if (takenAt.length >= most) return rateLimited(takenAt[0]! + windowMs - now(), 'too many');
    takenAt.push(now());
    return delivered();
  };
}

/** A webhook that delivers to Slack and to a URL, and escalates to SMS when Slack fails. */
async function engine(retry: readonly ('1m' | '12h')[] = ['1m', '1m']) {
  const [slack, sms, webhook] = ['slack', 'sms', 'webhook'].map((type) => recordingChannel(type)) as [
    ReturnType<typeof recordingChannel>,
    ReturnType<typeof recordingChannel>,
    ReturnType<typeof recordingChannel>,
  ];
  const posthorn = testDispatcher({ channels: [slack, sms, webhook], retry: { schedule: retry, jitter: 0 } });
  const { id: webhookId } = await posthorn.webhooks.create({
    name: 'on call',
    eventTypes: ['*'],
    channels: [
      { channel: 'slack', configs: {} },
      { channel: 'sms', configs: {}, onlyAfter: { channel: 'slack', failedAttempts: 1 } },
      { channel: 'webhook', configs: {} },
    ],
  });
  const begin = posthorn.clock.now();
  const secondsOf = (messages: readonly { readonly message: Message }[]) =>
    messages.map(({ message }) => (message.startedAt.getTime() - begin) / 1_000);
  return { posthorn, slack, sms, webhook, webhookId, secondsOf };
}

const hour = 3_600_000;

describe('a receiver that is busy', () => {
  test.each([
    ['one a second', 1, 1_000, 60],
    ['five in two seconds', 5, 2_000, 24],
    ['four a second', 4, 1_000, 15],
    ['one in ten seconds', 1, 10_000, 600],
    ['a hundred a second', 100, 1_000, 1],
  ])(
    'that takes %s gets a burst of 60 at about that rate, with few rejected requests',
    async (_, most, ms, ideal) => {
      const { posthorn, slack, sms, webhook, secondsOf } = await engine(['12h']);
      slack.answerWith(limited(posthorn.clock.now, most, ms));
      for (let i = 0; i < 60; i++) await posthorn.dispatch('disk.full', i);
      await posthorn.advance('2h');
      expect(slack.deliveries).toHaveLength(60);
      expect(sms.attempts).toEqual([]);
      expect(slack.attempts.length).toBeLessThanOrEqual(120);
      expect(Math.max(...secondsOf(slack.deliveries))).toBeLessThanOrEqual(2 * ideal + 10);
      expect(Math.max(...secondsOf(webhook.deliveries)), 'others do not wait').toBe(0);
      const { items } = await posthorn.deliveries.list({ limit: 1_000 });
      expect(new Set(items.map(({ status, attempts }) => `${status} ${attempts}`))).toEqual(
        new Set(['delivered 1']),
      );
    },
  );

  test('defers one delivery, which is not a failure and leaves no record', async () => {
    const { posthorn, slack } = await engine();
    const told: unknown[] = [];
    for (const name of ['failed', 'dead', 'released'] as const) {
      posthorn.on(`delivery:${name}`, () => void told.push(name));
    }
    posthorn.on('delivery:deferred', ({ channel, attempt, retryInMs }) => {
      told.push([channel, attempt, retryInMs >= 30_000 && retryInMs <= 37_500]);
    });
    slack.failNext(1, rateLimited(30_000, 'too many', { status: 429 }));
    await posthorn.dispatch('disk.full', 1);
    await posthorn.drain();
    expect(told).toEqual([['slack', null, true]]);
    const [waiting] = (await posthorn.deliveries.list({ status: ['pending'] })).items;
    expect(waiting).toMatchObject({ channel: 'slack', attempts: 0 });
    expect(await posthorn.deliveries.attempts(waiting!.id)).toEqual([]);
    await posthorn.advance('1m');
    expect(slack.deliveries).toHaveLength(1);
    expect(slack.attempts.map(({ message }) => message.attempt)).toEqual([1, 1]);
  });

  test('is tried again within an hour, however long it asks to wait', async () => {
    for (const ms of [0, Number.NaN, -1, 30 * hour, Number.POSITIVE_INFINITY]) {
      const { posthorn, slack } = await engine();
      slack.failNext(1, rateLimited(ms, 'too many'));
      await posthorn.dispatch('disk.full', 1);
      await posthorn.advance(hour);
      expect(slack.deliveries, `asked for ${ms}`).toHaveLength(1);
    }
  });

  test('for longer than a day fails from then on', async () => {
    const { posthorn, slack, sms, secondsOf } = await engine();
    slack.answerWith(() => rateLimited(hour, 'too many', { status: 429 }));
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance('3d');
    const [told] = secondsOf(sms.deliveries);
    expect(told, 'when a burst would be over, and the wait after a failure').toBe(120);
    const dead = (await posthorn.deliveries.list({ status: ['dead'] })).items[0]!;
    expect(dead).toMatchObject({ channel: 'slack', attempts: 3 });
    expect(await posthorn.deliveries.attempts(dead.id)).toMatchObject(
      Array(3).fill({ outcome: 'failed', kind: 'http_status', message: 'too many', status: 429 }),
    );
  });

  test('keeps the checkpoint of the attempt for the one after the wait', async () => {
    const { posthorn, slack } = await engine();
    slack.failNext(1, rateLimited(1_000, 'too many', { checkpoint: 'a b' }));
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance('1m');
    expect(slack.attempts.map(({ message }) => message.checkpoint)).toEqual([undefined, 'a b']);
  });

  test('gets no requests while it asks to wait, including new deliveries', async () => {
    const { posthorn, slack, secondsOf } = await engine();
    slack.failNext(1, rateLimited(60_000, 'too many'));
    await posthorn.dispatch('disk.full', 1);
    for (let i = 0; i < 10; i++) {
      await posthorn.advance('5s');
      await posthorn.dispatch('disk.full', i);
    }
    await posthorn.advance('1h');
    const [first, second] = secondsOf(slack.attempts) as [number, number];
    expect([first, second >= 60 && second <= 75]).toEqual([0, true]);
    expect(slack.deliveries).toHaveLength(11);
  });

  test('gets requests at the usual rate once it was not busy for a minute', async () => {
    const { posthorn, slack, secondsOf } = await engine();
    slack.failNext(1, rateLimited(1_000, 'too many'));
    await posthorn.dispatch('disk.full', 0);
    await posthorn.advance('5m');
    for (let i = 0; i < 20; i++) await posthorn.dispatch('disk.full', i);
    await posthorn.drain();
    expect(secondsOf(slack.deliveries).filter((second) => second === 300)).toHaveLength(20);
  });

  test('that does not say how long to wait has failed', async () => {
    const { posthorn, slack } = await engine();
    slack.failNext(1, { outcome: 'rate_limited', message: 'too many' } as never);
    await posthorn.dispatch('disk.full', 1);
    await posthorn.drain();
    const [delivery] = (await posthorn.deliveries.list({ status: ['pending'] })).items;
    const [attempt] = await posthorn.deliveries.attempts(delivery!.id);
    expect(attempt).toMatchObject(failed('channel_error', 'it returned an object that is no verdict'));
  });
});

describe('the time that a receiver may be busy is counted from its first busy answer, not from the event', () => {
  test("so deliveries of a recovered backlog arrive at the receiver's rate, without an escalation", async () => {
    const { posthorn, slack, sms, webhookId } = await engine();
    await posthorn.webhooks.update(webhookId, { isActive: false });
    for (let i = 0; i < 30; i++) await posthorn.dispatch('disk.full', i);
    await posthorn.advance('3d');
    await posthorn.webhooks.update(webhookId, { isActive: true });
    slack.answerWith(limited(posthorn.clock.now, 1, 1_000));
    await posthorn.replays.create({ missed: true, webhookId, from: new Date(0) });
    await posthorn.advance('2m');
    expect(slack.deliveries).toHaveLength(30);
    expect(sms.attempts).toEqual([]);
    const { items } = await posthorn.deliveries.list({ limit: 1_000 });
    expect(new Set(items.map(({ status, attempts }) => `${status} ${attempts}`))).toEqual(
      new Set(['delivered 1']),
    );
  });

  test('so a manual retry of an old event has the full time', async () => {
    const { posthorn, slack, sms } = await engine();
    await posthorn.dispatch('disk.full', 1);
    await posthorn.drain();
    await posthorn.advance('3d');
    const { items } = await posthorn.deliveries.list();
    const { id } = items.find(({ channel }) => channel === 'slack')!;
    slack.failNext(3, rateLimited(10_000, 'too many'));
    await posthorn.deliveries.retry(id);
    await posthorn.advance('1m');
    expect(slack.deliveries).toHaveLength(2);
    expect(await posthorn.deliveries.attempts(id)).toHaveLength(2);
    expect(sms.attempts).toEqual([]);
  });

  test('and does not include the time for which its webhook was paused', async () => {
    const { posthorn, slack, sms, webhookId } = await engine();
    slack.failNext(3, rateLimited(30_000, 'too many'));
    for (let i = 0; i < 3; i++) await posthorn.dispatch('disk.full', i);
    await posthorn.drain();
    await posthorn.webhooks.update(webhookId, { isActive: false });
    await posthorn.advance('30h');
    slack.answerWith(limited(posthorn.clock.now, 1, 5_000));
    await posthorn.webhooks.update(webhookId, { isActive: true });
    await posthorn.advance('2m');
    expect(slack.deliveries).toHaveLength(3);
    expect(sms.attempts).toEqual([]);
    const { items } = await posthorn.deliveries.list();
    expect(new Set(items.map(({ status, attempts }) => `${status} ${attempts}`))).toEqual(
      new Set(['delivered 1']),
    );
  });

  test('and a receiver that is busy for more than a day has failed, however old the event is', async () => {
    const { posthorn, slack, sms, webhookId, secondsOf } = await engine();
    await posthorn.webhooks.update(webhookId, { isActive: false });
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance('3d');
    await posthorn.webhooks.update(webhookId, { isActive: true });
    slack.answerWith(() => rateLimited(hour, 'too many', { status: 429 }));
    await posthorn.replays.create({ missed: true, webhookId, from: new Date(0) });
    const days = 86_400;
    await posthorn.advance('23h');
    expect(secondsOf(sms.deliveries), 'when a burst would be over').toEqual([3 * days + 120]);
    expect(slack.attempts.every(({ message }) => message.attempt === 1)).toBe(true);
    await posthorn.advance('4h');
    const [dead] = (await posthorn.deliveries.list({ status: ['dead'] })).items;
    expect(dead).toMatchObject({ channel: 'slack', attempts: 3 });
  });

  test('and starts again after any other result', async () => {
    const { posthorn, slack, secondsOf } = await engine(['12h']);
    const answers = [
      rateLimited(hour, 'too many'),
      failed('http_status', 'answered 500'),
      rateLimited(hour, 'too many'),
    ];
    slack.answerWith(() => answers.shift() ?? delivered());
    await posthorn.dispatch('disk.full', 1);
    await posthorn.advance('1d');
    const [first, second, third, fourth] = secondsOf(slack.attempts) as [number, number, number, number];
    expect([first, third - second]).toEqual([0, 43_200]);
    expect(fourth - third).toBeLessThanOrEqual(4_500);
    expect(slack.attempts.map(({ message }) => message.attempt)).toEqual([1, 1, 2, 2]);
  });

  test('so a webhook that cannot be read fails as usual, however long its delivery was deferred', async () => {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now });
    let isDamaged = false;
    const claim: DeliveryStore['claim'] = async (options) =>
      (await storage.deliveries.claim(options)).map((claimed) => ({
        ...claimed,
        ...(isDamaged && { binding: undefined, unreadable: 'it is damaged' }),
      }));
    const slack = recordingChannel('slack');
    const posthorn = createDispatcher({
      storage: { ...storage, deliveries: { ...storage.deliveries, claim } },
      channels: [slack],
      now: clock.now,
    });
    const channels = [{ channel: 'slack', configs: {} }];
    await posthorn.webhooks.create({ name: 'on call', eventTypes: ['*'], channels });
    slack.answerWith(() => rateLimited(hour, 'too many'));
    await posthorn.dispatch('disk.full', 1);
    for (let hours = 0; hours < 30; hours++) {
      await posthorn.drain();
      clock.advance(1.25 * hour);
    }
    isDamaged = true;
    clock.advance('1d');
    await posthorn.drain();
    const { id } = (await posthorn.deliveries.list()).items[0]!;
    expect((await posthorn.deliveries.attempts(id)).at(-1)).toMatchObject({
      kind: 'config',
      message: 'it is damaged',
    });
  });

  test('and from the event where the storage does not keep the first busy answer', async () => {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now });
    const claim: DeliveryStore['claim'] = async (options) =>
      (await storage.deliveries.claim(options)).map(({ deferredSince: _, ...claimed }) => claimed);
    const slack = recordingChannel('slack');
    const posthorn = createDispatcher({
      storage: { ...storage, deliveries: { ...storage.deliveries, claim } },
      channels: [slack],
      retry: { schedule: ['12h'] },
      now: clock.now,
    });
    const channels = [{ channel: 'slack', configs: {} }];
    await posthorn.webhooks.create({ name: 'on call', eventTypes: ['*'], channels });
    await posthorn.dispatch('disk.full', 1);
    await posthorn.drain();
    const { id } = (await posthorn.deliveries.list()).items[0]!;
    slack.answerWith(() => rateLimited(10_000, 'too many'));
    for (const [days, onRecord] of [
      [0, 1],
      [2, 2],
    ] as const) {
      clock.advance(days * 24 * hour);
      await posthorn.deliveries.retry(id);
      await posthorn.drain();
      expect(await posthorn.deliveries.attempts(id), `after ${days} days`).toHaveLength(onRecord);
    }
  });
});
