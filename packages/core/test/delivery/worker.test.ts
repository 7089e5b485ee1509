import {
  type Channel,
  createDispatcher,
  type Deliveries,
  type DispatcherOptions,
  type StorageAdapter,
} from '@posthorn/core';
import { delivered, failed, gone, type Message, rejected, type Verdict } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher, until, virtualClock } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] } as const;

/** A channel whose sends stay pending until the test answers them. */
function openChannel(deadlineMs?: number) {
  const sends: { message: Message; signal: AbortSignal; answer: (verdict: Verdict) => void }[] = [];
  const channel: Channel = {
    type: 'webhook',
    config: z.unknown(),
    send: (message, signal) => new Promise((resolve) => sends.push({ message, signal, answer: resolve })),
    ...(deadlineMs !== undefined && { deadlineMs: () => deadlineMs }),
  };
  return { channel, sends };
}

async function started(options: Partial<DispatcherOptions> = {}) {
  const clock = virtualClock();
  const { channel, sends } = openChannel();
  const dispatcher = createDispatcher({
    storage: memoryStorage({ now: clock.now }),
    channels: [channel],
    pollInterval: 10,
    ...options,
  });
  const webhook = await dispatcher.webhooks.create(toAll);
  dispatcher.start();
  return { clock, dispatcher, sends, webhook };
}

const statuses = async ({ deliveries }: { deliveries: Deliveries }): Promise<string[]> =>
  (await deliveries.list({ limit: 1000 })).items.map(({ status }) => status);

describe('retries', () => {
  test('come at the times of the schedule, and end in dead', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel], retry: { jitter: 0 } });
    channel.answerWith(() => failed('http_status', 'answered 500', { status: 500 }));
    const dead: unknown[] = [];
    dispatcher.on('delivery:dead', (facts) => void dead.push(facts));
    await dispatcher.webhooks.create(toAll);
    const begin = dispatcher.clock.now();
    await dispatcher.dispatch('a', 1);
    await dispatcher.advance('30d');
    const waits = channel.attempts.map(({ message }) => (message.startedAt.getTime() - begin) / 60_000);
    const minute = [0, 5 / 60, 35 / 60, 5 + 35 / 60].map((value) => Math.round(value * 1e6));
    expect(waits.slice(0, 4).map((value) => Math.round(value * 1e6))).toEqual(minute);
    expect(channel.attempts).toHaveLength(11);
    expect(waits.at(-1)).toBeCloseTo(75.6 * 60, -1);
    expect(dead).toHaveLength(1);
    const [delivery] = (await dispatcher.deliveries.list()).items;
    expect(delivery).toMatchObject({ status: 'dead', attempts: 11 });
    const attempts = await dispatcher.deliveries.attempts(delivery!.id);
    expect(attempts.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(attempts[10]).toMatchObject({
      outcome: 'failed',
      kind: 'http_status',
      status: 500,
      message: 'answered 500',
    });
  });

  test('of a thousand simultaneous failures are spread evenly over ± 20 %', async () => {
    const run = async () => {
      const channel = recordingChannel();
      const dispatcher = testDispatcher({
        channels: [channel],
        retry: { schedule: ['60s'] },
        concurrency: 1000,
        webhookConcurrency: 1000,
        seed: 7,
      });
      await dispatcher.webhooks.create(toAll);
      channel.failNext(1000);
      const begin = dispatcher.clock.now();
      await dispatcher.dispatchMany(Array.from({ length: 1000 }, () => ({ type: 'a', payload: 1 })));
      await dispatcher.advance('2m');
      return channel.deliveries.map(({ message }) => message.startedAt.getTime() - begin);
    };
    const delays = await run();
    expect(delays).toHaveLength(1000);
    const buckets = new Map<number, number>();
    for (const delay of delays)
      buckets.set(Math.floor(delay / 1000), (buckets.get(Math.floor(delay / 1000)) ?? 0) + 1);
    expect(Math.max(...buckets.values())).toBeLessThanOrEqual(80);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(48_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(72_000);
    expect(await run()).toEqual(delays);
  });

  test('wait as long as the receiver asks', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    channel.failNext(1, failed('http_status', 'answered 429', { status: 429, retryAfterMs: 120_000 }));
    await dispatcher.dispatch('a', 1);
    await dispatcher.advance(119_000);
    expect(channel.deliveries).toHaveLength(0);
    await dispatcher.advance(1_000 + 24_000);
    expect(channel.deliveries).toHaveLength(1);
  });

  test('are not made where the receiver rejects the event', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    channel.failNext(1, rejected('http_status', 'never'));
    await dispatcher.dispatch('a', 1);
    await dispatcher.advance('30d');
    expect(channel.attempts).toHaveLength(1);
    expect(await statuses(dispatcher)).toEqual(['dead']);
  });

  test('restart the schedule on a manual retry, and keep counting attempts', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel], retry: { schedule: ['1m'] } });
    await dispatcher.webhooks.create(toAll);
    channel.failNext(3);
    await dispatcher.dispatch('a', 1);
    await dispatcher.advance('1h');
    const { id } = (await dispatcher.deliveries.list({ status: ['dead'] })).items[0]!;
    expect(await dispatcher.deliveries.retry(id)).toMatchObject({
      status: 'pending',
      attempts: 2,
      attemptsBeforeRetry: 2,
    });
    await dispatcher.advance('1h');
    expect(await dispatcher.deliveries.get(id)).toMatchObject({ status: 'delivered', attempts: 4 });
    expect((await dispatcher.deliveries.attempts(id)).map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    await dispatcher.deliveries.retry(id);
    await dispatcher.drain();
    await dispatcher.deliveries.retry(id);
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(3);
  });
});

describe('a webhook whose only receiver is gone', () => {
  async function goneFor(reason: string) {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    const { id } = await dispatcher.webhooks.create(toAll);
    channel.failNext(1, gone('http_status', reason, { status: 410 }));
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    return { id, dispatcher, reason: async () => (await dispatcher.webhooks.get(id)).disabledReason };
  }

  test.each([true, false])(
    'shows why it was disabled, until the application sets isActive to %s',
    async (isActive) => {
      const { id, dispatcher, reason } = await goneFor('answered 410');
      expect(await reason()).toBe('answered 410');
      await dispatcher.webhooks.update(id, { name: 'renamed' });
      expect(await reason()).toBe('answered 410');
      const updated = await dispatcher.webhooks.update(id, { isActive });
      expect(updated).toMatchObject({ isActive, disabledReason: null });
      expect(await reason()).toBeNull();
    },
  );

  test('has a reason of at most 500 characters, without half a character', async () => {
    const { reason } = await goneFor('🎺'.repeat(400));
    expect(await reason()).toBe('🎺'.repeat(250));
    expect(await (await goneFor(`x${'🎺'.repeat(400)}`)).reason()).toBe(`x${'🎺'.repeat(249)}`);
  });

  test('has no reason where the application had paused it before', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    const { id } = await dispatcher.webhooks.create(toAll);
    channel.answerWith(async () => {
      await dispatcher.webhooks.update(id, { isActive: false });
      return gone('http_status', 'answered 410', { status: 410 });
    });
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    expect(await dispatcher.webhooks.get(id)).toMatchObject({ isActive: false, disabledReason: null });
  });

  test('is disabled once, and its queued deliveries wait', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel], webhookConcurrency: 5 });
    const { id } = await dispatcher.webhooks.create(toAll);
    const disabled: unknown[] = [];
    dispatcher.on(
      'webhook:disabled',
      ({ webhook, reason }) => void disabled.push([webhook.isActive, reason]),
    );
    channel.answerWith(() => gone('http_status', 'answered 410', { status: 410 }));
    await dispatcher.dispatchMany(Array.from({ length: 200 }, () => ({ type: 'a', payload: 1 })));
    await dispatcher.drain();
    expect(channel.attempts.length).toBeLessThanOrEqual(10);
    expect(disabled).toEqual([[false, 'answered 410']]);
    expect((await dispatcher.deliveries.list({ status: ['pending'], limit: 1000 })).items.length).toBe(
      200 - channel.attempts.length,
    );
    channel.reset();
    await dispatcher.webhooks.update(id, { isActive: true });
    await dispatcher.drain();
    expect((await dispatcher.deliveries.list({ status: ['pending'] })).items).toEqual([]);
  });
});

describe('a webhook with several receivers, one of them gone,', () => {
  test('tries that one once for each event, and delivers to the others', async () => {
    const [slack, email] = [recordingChannel('slack'), recordingChannel('email')];
    const dispatcher = testDispatcher({ channels: [slack, email] });
    const told: unknown[] = [];
    dispatcher.on('webhook:disabled', () => void told.push('disabled'));
    dispatcher.on('delivery:dead', ({ channel, attempt }) => void told.push([channel, attempt?.outcome]));
    const channels = ['slack', 'email'].map((channel) => ({ channel, configs: {} }));
    const { id } = await dispatcher.webhooks.create({ ...toAll, channels });
    slack.answerWith(() => gone('http_status', 'no_service'));
    for (const payload of [1, 2]) {
      await dispatcher.dispatch('a', payload);
      await dispatcher.advance('1d');
    }
    expect(slack.attempts).toHaveLength(2);
    expect(email.deliveries).toHaveLength(2);
    expect(told).toEqual(Array(2).fill(['slack', 'gone']));
    slack.reset();
    await dispatcher.dispatch('a', 3);
    await dispatcher.drain();
    expect(slack.deliveries, 'as soon as the receiver is there again').toHaveLength(1);
    expect(await dispatcher.webhooks.get(id)).toMatchObject({ isActive: true });
  });
});

describe('a paused webhook', () => {
  test('gets no new deliveries, and its pending ones wait until it is active again', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    const { id } = await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 'before');
    await dispatcher.webhooks.update(id, { isActive: false });
    expect(await dispatcher.dispatch('a', 'meanwhile')).toMatchObject({ deliveries: 0 });
    await dispatcher.advance('1d');
    expect(channel.attempts).toEqual([]);
    await dispatcher.webhooks.update(id, { isActive: true });
    await dispatcher.drain();
    expect(channel.deliveries.map(({ payload }) => payload)).toEqual(['before']);
  });

  test('cancels its pending deliveries when it is deleted', async () => {
    const dispatcher = testDispatcher({ channels: [recordingChannel()] });
    const { id } = await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    expect(await dispatcher.webhooks.delete(id)).toBe(true);
    await dispatcher.drain();
    expect(await statuses(dispatcher)).toEqual(['cancelled']);
    const [delivery] = (await dispatcher.deliveries.list()).items;
    await expect(dispatcher.deliveries.retry(delivery!.id)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('deliveries', () => {
  test('can be cancelled only while they are pending', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    const { eventId } = await dispatcher.dispatch('a', 1);
    const { id } = (await dispatcher.deliveries.list({ eventId })).items[0]!;
    expect(await dispatcher.deliveries.cancel(id)).toMatchObject({ status: 'cancelled', dueAt: null });
    await dispatcher.drain();
    expect(channel.attempts).toEqual([]);
    await expect(dispatcher.deliveries.cancel(id)).rejects.toMatchObject({ code: 'conflict' });
  });

  test.each(['dlv_x', '', 'evt_0000000000000000000000', undefined as never, {} as never])(
    'are not found by %j',
    async (id) => {
      const { deliveries, events } = testDispatcher({ channels: [] });
      for (const call of [
        deliveries.get(id),
        deliveries.attempts(id),
        deliveries.retry(id),
        deliveries.cancel(id),
        events.get(id),
      ]) {
        await expect(call).rejects.toMatchObject({ code: 'not_found' });
      }
    },
  );
});

describe('concurrency', () => {
  test('is at most the limit of the process, and a free slot is used at once', async () => {
    const { dispatcher, sends } = await started({ concurrency: 3, webhookConcurrency: 100 });
    await dispatcher.dispatchMany(Array.from({ length: 10 }, (_, i) => ({ type: 'a', payload: i })));
    await until(() => sends.length === 3);
    for (let answered = 0; answered < 10; answered++) {
      await until(() => sends.length === Math.min(10, answered + 3));
      sends[answered]?.answer(delivered());
    }
    await dispatcher.drain();
    expect(sends).toHaveLength(10);
    await dispatcher.stop();
  });

  test('is at most the limit of a webhook, so that a slow webhook cannot take every slot', async () => {
    const { dispatcher, sends, webhook } = await started({ concurrency: 10, webhookConcurrency: 4 });
    const fast = await dispatcher.webhooks.create({ ...toAll, name: 'fast', eventTypes: ['b'] });
    await dispatcher.dispatchMany(Array.from({ length: 50 }, () => ({ type: 'a', payload: 1 })));
    await until(() => sends.length === 4);
    await dispatcher.webhooks.update(webhook.id, { eventTypes: ['a'] });
    await dispatcher.dispatchMany(Array.from({ length: 4 }, () => ({ type: 'b', payload: 1 })));
    await until(() => sends.length === 8);
    expect(sends.filter(({ message }) => message.webhook.id === fast.id)).toHaveLength(4);
    for (const { answer } of sends) answer(delivered());
    await until(() => sends.length > 8);
    await dispatcher.stop({ grace: 0 });
  });
});

describe('an attempt', () => {
  test('ends at its deadline, whatever its channel does, and has failed', async () => {
    const { channel, sends } = openChannel(30);
    const { dispatcher } = await started({ channels: [channel] });
    const facts: unknown[] = [];
    dispatcher.on('delivery:failed', ({ attempt }) => void facts.push(attempt));
    await dispatcher.dispatch('a', 1);
    await until(() => facts.length === 1);
    expect(facts).toMatchObject([{ outcome: 'failed', kind: 'timeout', number: 1 }]);
    expect(sends[0]?.signal.aborted).toBe(true);
    sends[0]?.answer(delivered());
    expect(await statuses(dispatcher)).toEqual(['pending']);
    await dispatcher.stop();
  });

  test.each<[string, () => Promise<Verdict>, string]>([
    ['rejects', () => Promise.reject(new Error('boom')), 'Error: boom'],
    [
      'throws',
      () => {
        throw new TypeError('bang');
      },
      'TypeError: bang',
    ],
    ['throws a value that is not an error', () => Promise.reject('text'), 'it threw a string'],
    [
      'throws an error that cannot be read',
      () => Promise.reject(Object.assign(new Error(), { message: Symbol('s') })),
      'it threw an object',
    ],
    [
      'answers nothing',
      () => Promise.resolve(undefined as never),
      'it returned undefined that is no verdict',
    ],
    [
      'answers nonsense',
      () => Promise.resolve({ outcome: 'maybe' } as never),
      'it returned an object that is no verdict',
    ],
  ])('of a channel that %s has failed', async (_, send, message) => {
    const dispatcher = testDispatcher({ channels: [{ type: 'webhook', config: z.unknown(), send }] });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    const [delivery] = (await dispatcher.deliveries.list()).items;
    expect(await dispatcher.deliveries.attempts(delivery!.id)).toMatchObject([
      { outcome: 'failed', kind: 'channel_error', message },
    ]);
  });

  test.each<[string, (configs: unknown) => number]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['is NaN', () => Number.NaN],
    ['is negative', () => -1],
    ['is longer than a timer can be', () => 2 ** 31],
  ])('of a channel whose deadline %s has failed, and was not sent', async (_, deadlineMs) => {
    const channel = { ...recordingChannel(), deadlineMs };
    const dispatcher = testDispatcher({ channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    expect(channel.attempts).toEqual([]);
    const delivery = (await dispatcher.deliveries.list()).items[0]!;
    expect(await dispatcher.deliveries.attempts(delivery.id)).toMatchObject([{ kind: 'channel_error' }]);
  });

  test('keeps 16 Ki characters of an answer, and no half character', async () => {
    const channel = recordingChannel();
    channel.answerWith(() => delivered({ status: 200, response: `x${'🎺'.repeat(20_000)}` }));
    const dispatcher = testDispatcher({ channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    const [delivery] = (await dispatcher.deliveries.list()).items;
    const [attempt] = await dispatcher.deliveries.attempts(delivery!.id);
    expect(attempt?.response).toBe(`x${'🎺'.repeat(8 * 1024 - 1)}`);
  });
});

describe('the signal of an attempt', () => {
  async function signalOf(channel: Partial<Channel>): Promise<AbortSignal> {
    const signals: AbortSignal[] = [];
    const send: Channel['send'] = (_, signal) => {
      signals.push(signal);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    };
    const dispatcher = testDispatcher({
      channels: [{ type: 'webhook', config: z.unknown(), send, deadlineMs: () => 1, ...channel }],
    });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    return signals[0]!;
  }

  test('is an AbortSignal, aborted at the deadline', async () => {
    const signal = await signalOf({});
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(signal.aborted).toBe(true);
  });

  test('is only a cancellation where the channel needs no more, and is aborted as well', async () => {
    const signal = await signalOf({ takesCancellation: true });
    expect(signal).not.toBeInstanceOf(AbortSignal);
    expect(signal.aborted).toBe(true);
  });
});

describe('leases', () => {
  test('are renewed while an attempt is in flight', async () => {
    const { dispatcher, sends, clock } = await started({ lease: 60 });
    await dispatcher.dispatch('a', 1);
    await until(() => sends.length === 1);
    // Advances in steps shorter than the lease, and in total far beyond it: a lease that is not renewed would be
    // claimed again.
    const lost: unknown[] = [];
    dispatcher.on('delivery:lost', (facts) => void lost.push(facts));
    let renewals = 0;
    await until(() => {
      clock.advance(1);
      return ++renewals > 60;
    });
    expect(sends).toHaveLength(1);
    sends[0]?.answer(delivered());
    await until(async () => (await statuses(dispatcher))[0] === 'delivered');
    expect(lost).toEqual([]);
    await dispatcher.stop();
  });

  test('that are lost end the attempt, whose late result changes nothing', async () => {
    const { dispatcher, sends } = await started({ lease: 30 });
    await dispatcher.dispatch('a', 1);
    await until(() => sends.length === 1);
    const lost: unknown[] = [];
    dispatcher.on('delivery:lost', ({ deliveryId }) => void lost.push(deliveryId));
    const { id } = (await dispatcher.deliveries.list()).items[0]!;
    await dispatcher.deliveries.cancel(id);
    await until(() => lost.length === 1);
    expect(sends[0]?.signal.aborted).toBe(true);
    sends[0]?.answer(delivered());
    expect(await statuses(dispatcher)).toEqual(['cancelled']);
    expect(await dispatcher.deliveries.attempts(id)).toEqual([]);
    await dispatcher.stop();
  });
});

describe('stopping', () => {
  test('claims nothing more, and waits for what is in flight', async () => {
    const { dispatcher, sends } = await started({ webhookConcurrency: 2 });
    await dispatcher.dispatchMany(Array.from({ length: 5 }, () => ({ type: 'a', payload: 1 })));
    await until(() => sends.length === 2);
    const stopping = dispatcher.stop({ grace: '10s' });
    for (const { answer } of sends) answer(delivered());
    await stopping;
    expect(sends).toHaveLength(2);
    expect((await statuses(dispatcher)).sort()).toEqual([
      'delivered',
      'delivered',
      'pending',
      'pending',
      'pending',
    ]);
  });

  test('releases what did not finish within the grace: it is due at once, and not counted', async () => {
    const { dispatcher, sends } = await started();
    const released: unknown[] = [];
    dispatcher.on('delivery:released', (facts) => void released.push(facts));
    await dispatcher.dispatch('a', 1);
    await until(() => sends.length === 1);
    await dispatcher.stop({ grace: 20 });
    expect(sends[0]?.signal.aborted).toBe(true);
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'pending', attempts: 0 }]);
    expect(released).toHaveLength(1);
    dispatcher.start();
    await until(() => sends.length === 2);
    sends[1]?.answer(delivered());
    await dispatcher.drain();
    await dispatcher.stop();
    expect(await statuses(dispatcher)).toEqual(['delivered']);
  });

  test('passes the checkpoint of an aborted attempt to the next one', async () => {
    const storage = memoryStorage();
    const asked: string[] = [];
    const checkpoints: unknown[] = [];
    /** Three recipients take it; the last one does not answer until it is aborted. */
    const channel: Channel = {
      type: 'webhook',
      config: z.unknown(),
      async send({ checkpoint }, signal) {
        checkpoints.push(checkpoint);
        for (const name of ['a', 'b', 'c'].filter((one) => !checkpoint?.includes(one))) asked.push(name);
        asked.push('d');
        if (checkpoint) return delivered();
        await until(() => signal.aborted);
        return failed('timeout', 'ended', { checkpoint: 'a b c' });
      },
    };
    const dispatcher = createDispatcher({ storage, channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    await dispatcher.dispatch('a', 1);
    await until(() => asked.length === 4);
    await dispatcher.stop({ grace: 10 });
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'pending', attempts: 0 }]);
    await dispatcher.drain();
    expect(checkpoints).toEqual([undefined, 'a b c']);
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'd']);
    expect(await statuses(dispatcher)).toEqual(['delivered']);
  });

  test('records what is delivered in the moment after the grace', async () => {
    const { dispatcher, sends } = await started();
    await dispatcher.dispatch('a', 1);
    await until(() => sends.length === 1);
    sends[0]!.signal.addEventListener('abort', () => sends[0]!.answer(delivered()));
    await dispatcher.stop({ grace: 0 });
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'delivered', attempts: 1 }]);
  });

  test.each([
    ['failed', failed('reset', 'aborted')],
    ['rejected', rejected('http_status', 'aborted')],
    ['gone', gone('http_status', 'aborted')],
  ])('does not count any other result of that moment: %s', async (_, verdict) => {
    const { dispatcher, sends, webhook } = await started();
    await dispatcher.dispatch('a', 1);
    await until(() => sends.length === 1);
    sends[0]!.signal.addEventListener('abort', () => sends[0]!.answer(verdict));
    await dispatcher.stop({ grace: 0 });
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'pending', attempts: 0 }]);
    expect(await dispatcher.webhooks.get(webhook.id)).toMatchObject({ isActive: true });
  });

  test('releases what was claimed but never started', async () => {
    const storage = memoryStorage();
    let hold: (() => void) | undefined;
    const slow: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        async claim(options) {
          await new Promise<void>((resolve) => {
            hold = resolve;
          });
          return storage.deliveries.claim(options);
        },
      },
    };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: slow, channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    dispatcher.start();
    await until(() => hold);
    const stopping = dispatcher.stop();
    hold?.();
    await stopping;
    expect(channel.attempts).toEqual([]);
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'pending', attempts: 0 }]);
  });

  test('may be followed by a start or a drain at once', async () => {
    const channel = recordingChannel();
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [channel],
      pollInterval: '1h',
    });
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    const stopping = dispatcher.stop();
    dispatcher.start();
    await stopping;
    await dispatcher.dispatch('a', 1);
    await until(() => channel.deliveries.length === 1);
    await Promise.all([dispatcher.stop(), dispatcher.drain()]);
    await dispatcher.dispatch('a', 2);
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(2);
  });

  test('again, after a start in between, works', async () => {
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [channel], pollInterval: 5 });
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    const first = dispatcher.stop();
    dispatcher.start();
    await Promise.all([first, dispatcher.stop()]);
    await dispatcher.dispatch('a', 1);
    let turns = 0;
    await until(() => ++turns > 10);
    expect(channel.attempts).toEqual([]);
  });

  test('ends sooner after a second call with a shorter grace', async () => {
    const { dispatcher, sends } = await started();
    await dispatcher.dispatch('a', 1);
    await until(() => sends.length === 1);
    const patient = dispatcher.stop({ grace: '1h' });
    await dispatcher.stop({ grace: 0 });
    await patient;
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'pending', attempts: 0 }]);
  });

  test('does not wait forever for a storage that hangs', async () => {
    const storage = memoryStorage();
    const hanging: StorageAdapter = {
      ...storage,
      deliveries: { ...storage.deliveries, settle: () => new Promise(() => {}) },
    };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: hanging, channels: [channel], lease: 50 });
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    await dispatcher.dispatch('a', 1);
    await until(() => channel.attempts.length === 1);
    await dispatcher.stop({ grace: 10 });
  });

  test('twice at the same time is one stop, and has no effect on a process that never started', async () => {
    const { dispatcher } = await started();
    let stops = 0;
    dispatcher.on('worker:stopped', () => void stops++);
    await Promise.all([dispatcher.stop(), dispatcher.stop()]);
    await dispatcher.stop();
    expect(stops).toBe(1);
  });
});

describe('draining', () => {
  test('delivers everything that is due, without a start, and leaves what is not due', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatchMany(Array.from({ length: 500 }, (_, i) => ({ type: 'a', payload: i })));
    channel.failNext(3);
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(497);
    expect((await dispatcher.deliveries.list({ status: ['pending'] })).items).toHaveLength(3);
  });

  test('of an empty queue ends at once', async () => {
    await testDispatcher({ channels: [] }).drain();
  });

  test('rejects where the storage fails', async () => {
    const storage = memoryStorage();
    const failing: StorageAdapter = {
      ...storage,
      deliveries: { ...storage.deliveries, claim: () => Promise.reject(new Error('down')) },
    };
    await expect(createDispatcher({ storage: failing, channels: [] }).drain()).rejects.toMatchObject({
      code: 'storage_failed',
    });
  });
});

describe('a storage that fails', () => {
  test('when a webhook is to be disabled is asked again, and the failure is reported', async () => {
    const storage = memoryStorage();
    let failures = 2;
    const shaky: StorageAdapter = {
      ...storage,
      webhooks: {
        ...storage.webhooks,
        update: (...args) =>
          failures-- > 0 ? Promise.reject(new Error('down')) : storage.webhooks.update(...args),
      },
    };
    const channel = recordingChannel();
    channel.failNext(1, gone('http_status', 'answered 410'));
    const dispatcher = createDispatcher({ storage: shaky, channels: [channel] });
    const seen: string[] = [];
    dispatcher.on('error', () => void seen.push('error'));
    dispatcher.on('delivery:dead', () => void seen.push('dead'));
    dispatcher.on('webhook:disabled', () => void seen.push('disabled'));
    const { id } = await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    expect(seen).toEqual(['dead', 'error', 'disabled']);
    expect(await dispatcher.webhooks.get(id)).toMatchObject({ isActive: false });
  });

  test('by an invalid answer to a claim is reported, and does no harm', async () => {
    const storage = memoryStorage();
    const broken: StorageAdapter = {
      ...storage,
      deliveries: { ...storage.deliveries, claim: () => Promise.resolve(undefined as never) },
    };
    const dispatcher = createDispatcher({ storage: broken, channels: [], pollInterval: 5 });
    const errors: unknown[] = [];
    dispatcher.on('error', (error) => void errors.push(error));
    dispatcher.start();
    await until(() => errors.length > 0);
    await dispatcher.stop();
  });

  test('temporarily costs no result: the write is retried, not the send', async () => {
    const storage = memoryStorage();
    let failures = 3;
    const shaky: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        settle: (settlements) =>
          failures-- > 0 ? Promise.reject(new Error('down')) : storage.deliveries.settle(settlements),
      },
    };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: shaky, channels: [channel] });
    const errors: unknown[] = [];
    dispatcher.on('error', ({ code }) => void errors.push(code));
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    expect(channel.attempts).toHaveLength(1);
    expect(await statuses(dispatcher)).toEqual(['delivered']);
    expect(errors).toEqual(['storage_failed']);
  });

  test('at claims is asked again by the poll only', async () => {
    const storage = memoryStorage();
    let asked = 0;
    let isDown = true;
    const shaky: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        claim: (options) =>
          isDown ? Promise.reject(new Error(`down ${asked++}`)) : storage.deliveries.claim(options),
        publish: (events) => storage.deliveries.publish(events),
      },
    };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: shaky, channels: [channel], pollInterval: 50 });
    dispatcher.on('error', () => {});
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    await until(() => asked === 1);
    for (let i = 0; i < 100; i++) await dispatcher.dispatch('a', i);
    expect(asked).toBeLessThanOrEqual(3);
    isDown = false;
    await until(() => channel.deliveries.length === 100);
    await dispatcher.stop();
  });
});

describe('a process', () => {
  test('that has started sends what it publishes at once, without a further claim', async () => {
    const storage = memoryStorage();
    const offers: unknown[] = [];
    const watched: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        publish(events, options) {
          offers.push([options?.prefetch?.limit, options?.prefetch?.isBegun]);
          return storage.deliveries.publish(events, options);
        },
      },
    };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({
      storage: watched,
      channels: [channel],
      pollInterval: '1h',
      concurrency: 7,
    });
    await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    dispatcher.start();
    await dispatcher.dispatch('a', 2);
    await until(() => channel.deliveries.length === 2);
    await dispatcher.stop();
    expect(offers, 'there are seven slots, and one was sent within the second').toEqual([
      [undefined, undefined],
      [8, true],
    ]);
  });

  test('that has started sends at once what becomes due by an activated webhook or a manual retry', async () => {
    const channel = recordingChannel();
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [channel],
      pollInterval: '1h',
    });
    const { id } = await dispatcher.webhooks.create(toAll);
    await dispatcher.dispatch('a', 1);
    await dispatcher.webhooks.update(id, { isActive: false });
    dispatcher.start();
    await dispatcher.webhooks.update(id, { isActive: true });
    await until(() => channel.deliveries.length === 1);
    const delivery = await until(
      async () => (await dispatcher.deliveries.list({ status: ['delivered'] })).items[0],
    );
    await dispatcher.deliveries.retry(delivery.id);
    await until(() => channel.deliveries.length === 2);
    await dispatcher.stop();
  });

  test('deletes nothing, and does not ask the storage to, where the retention is false', async () => {
    const storage = memoryStorage();
    let prunes = 0;
    const log = { ...storage.log, prune: async () => prunes++ };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({
      storage: { ...storage, log },
      channels: [channel],
      retention: false,
    });
    const channels = [{ channel: channel.type, configs: {} }];
    await dispatcher.webhooks.create({ name: 'w', eventTypes: ['*'], channels });
    dispatcher.start();
    await dispatcher.dispatch('a.b', 1);
    await until(() => channel.deliveries.length === 1);
    await dispatcher.stop();
    expect(prunes).toBe(0);
  });

  test('deletes finished events older than the retention as soon as it starts', async () => {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now });
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()], retention: '10d' });
    await dispatcher.dispatch('a', 'old');
    clock.advance('8d');
    await dispatcher.dispatch('a', 'young');
    clock.advance('3d');
    dispatcher.start();
    await until(async () => (await dispatcher.events.list()).items.length === 1);
    expect((await dispatcher.events.list()).items).toMatchObject([{ payload: '"young"' }]);
    await dispatcher.stop();
  });

  test('deletes events that expire while it runs, about as often as a short retention requires', async () => {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now });
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()], retention: '10s' });
    dispatcher.start();
    await dispatcher.dispatch('a', 'old');
    expect((await dispatcher.events.list()).items).toHaveLength(1);
    clock.advance('11s');
    await until(async () => (await dispatcher.events.list()).items.length === 0, { timeoutMs: 3_000 });
    await dispatcher.stop();
  });

  test('deletes only on request where it was never started', async () => {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now });
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()], retention: '1m' });
    const events = Array.from({ length: 2_500 }, (_, i) => ({ type: 'a', payload: i }));
    await dispatcher.dispatchMany(events);
    clock.advance('2m');
    await dispatcher.dispatch('a', 'young');
    await dispatcher.drain();
    expect((await dispatcher.events.list({ limit: 1_000 })).items).toHaveLength(1_000);
    expect(await dispatcher.prune()).toBe(2_500);
    expect((await dispatcher.events.list()).items).toMatchObject([{ payload: '"young"' }]);
    expect(await dispatcher.prune()).toBe(0);
    const keeping = createDispatcher({ storage, channels: [], retention: false });
    clock.advance('1000d');
    expect(await keeping.prune()).toBe(0);
  });

  test('that has started sends what is dispatched, without waiting for the poll', async () => {
    const channel = recordingChannel();
    const dispatcher = createDispatcher({
      storage: memoryStorage(),
      channels: [channel],
      pollInterval: '1h',
    });
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    await dispatcher.dispatch('a', 1);
    await until(() => channel.deliveries.length === 1, { timeoutMs: 500 });
    await dispatcher.stop();
  });

  test('sends what is published while a claim is in flight', async () => {
    const storage = memoryStorage();
    let answer: (() => void) | undefined;
    const offers: unknown[] = [];
    const watched: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        publish(events, options) {
          offers.push(options?.prefetch?.limit);
          return storage.deliveries.publish(events, options);
        },
        claim: (options) =>
          new Promise((resolve) => {
            answer = () => resolve(storage.deliveries.claim(options));
          }),
      },
    };
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: watched, channels: [channel], pollInterval: '1h' });
    await dispatcher.webhooks.create(toAll);
    dispatcher.start();
    await until(() => answer !== undefined);
    await dispatcher.dispatch('a', 1);
    await until(() => channel.deliveries.length === 1);
    expect(offers).toEqual([100]);
    const stopped = dispatcher.stop();
    answer!();
    await stopped;
  });

  test('that drains ends, even though it was looking when an event without a webhook was published', async () => {
    const storage = memoryStorage();
    let publish: (() => void) | undefined;
    let claims = 0;
    const watched: StorageAdapter = {
      ...storage,
      deliveries: {
        ...storage.deliveries,
        publish: (events, options) =>
          new Promise((resolve) => {
            publish = () => resolve(storage.deliveries.publish(events, options));
          }),
        claim(options) {
          claims++;
          return storage.deliveries.claim(options);
        },
      },
    };
    const dispatcher = createDispatcher({ storage: watched, channels: [recordingChannel()] });
    const drained = dispatcher.drain();
    const dispatched = dispatcher.dispatch('a', 1);
    await until(() => publish !== undefined && claims > 0);
    publish!();
    await dispatched;
    await drained;
  });

  test('that has started retries on time, also between two polls', async () => {
    const channel = recordingChannel();
    const options = { pollInterval: '10s', retry: { schedule: ['20ms'] } } as const;
    const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [channel], ...options });
    await dispatcher.webhooks.create(toAll);
    channel.failNext(1);
    dispatcher.start();
    await dispatcher.dispatch('a', 1);
    await until(() => channel.deliveries.length === 1, { timeoutMs: 2_000 });
    await dispatcher.stop();
  });

  test('finds by its poll what another process has published', async () => {
    const storage = memoryStorage();
    const channel = recordingChannel();
    const worker = createDispatcher({ storage, channels: [channel], pollInterval: 20 });
    const publisher = createDispatcher({ storage, channels: [channel] });
    await publisher.webhooks.create(toAll);
    worker.start();
    await publisher.dispatch('a', 1);
    await until(() => channel.deliveries.length === 1);
    await worker.stop();
  });
});
