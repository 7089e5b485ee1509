import { createDispatcher, type PosthornError, type StorageAdapter } from '@posthorn/core';
import { rejected } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher, until, type VirtualClock, virtualClock } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };

/** Dispatchers on one storage with `count` dead deliveries. Records which deliveries each call set to pending. */
async function onOneStorage(count: number, { clock = virtualClock(), processes = 1 } = {}) {
  const memory = memoryStorage({ now: clock.now });
  const calls: (readonly string[])[] = [];
  const storage: StorageAdapter = {
    ...memory,
    log: {
      ...memory.log,
      transition(tenantId, ids, status) {
        calls.push(ids);
        return memory.log.transition(tenantId, ids, status);
      },
    },
  };
  const channel = recordingChannel();
  const options = { storage, channels: [channel], now: clock.now };
  const dispatchers = Array.from({ length: processes }, () => createDispatcher(options));
  const [dispatcher] = dispatchers as [(typeof dispatchers)[0]];
  await dispatcher.webhooks.create(toAll);
  channel.answerWith(() => rejected('http_status', 'never'));
  const events = Array.from({ length: count }, (_, i) => ({ type: 'order.created', payload: i }));
  await dispatcher.dispatchMany(events);
  await dispatcher.drain();
  channel.reset();
  return { clock, memory, storage, calls, channel, dispatcher, dispatchers };
}

/** Advances the clock in steps, and drains after each. */
async function live(clock: VirtualClock, ms: number, stepMs: number, drain: () => Promise<unknown>) {
  for (const end = clock.now() + ms; clock.now() < end; clock.advance(stepMs)) await drain();
  await drain();
}

const payloads = (channel: ReturnType<typeof recordingChannel>): number[] =>
  channel.attempts.map(({ payload }) => payload as number).sort((one, other) => one - other);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('the rate', () => {
  async function timesOf(count: number, perSecond: number): Promise<number[]> {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel], webhookConcurrency: 1_000 });
    await dispatcher.webhooks.create(toAll);
    channel.answerWith(() => rejected('http_status', 'never'));
    await dispatcher.dispatchMany(upTo(count).map((payload) => ({ type: 'a', payload })));
    await dispatcher.drain();
    channel.reset();
    const begin = dispatcher.clock.now();
    await dispatcher.replays.create({ perSecond });
    await dispatcher.advance('1h');
    return channel.attempts.map(({ message }) => message.startedAt.getTime() - begin);
  }

  test.each([
    [120, 40],
    [75, 15],
    [250, 100],
  ])(
    'of %i deliveries is %i a second, at most a quarter of them at a time, and not much less',
    async (count, perSecond) => {
      const times = await timesOf(count, perSecond);
      expect(times).toHaveLength(count);
      const step = Math.ceil(perSecond / 4);
      const instants = [...new Set(times)];
      for (const from of instants) {
        for (const until of instants.filter((instant) => instant > from)) {
          const started = times.filter((time) => time >= from && time < until).length;
          expect(started).toBeLessThanOrEqual((perSecond * (until - from)) / 1_000 + step);
        }
      }
      expect(times.at(-1)).toBeLessThanOrEqual((count / perSecond) * 1_000 * 1.1);
    },
  );

  test('is even when it is low', async () => {
    expect(await timesOf(4, 2)).toEqual([0, 500, 1_000, 1_500]);
    expect(await timesOf(3, 1)).toEqual([0, 1_000, 2_000]);
  });
});

describe('a step', () => {
  test('takes at most 1,000 deliveries', async () => {
    const { clock, calls, channel, dispatcher } = await onOneStorage(10_000);
    const { id } = await dispatcher.replays.create({ perSecond: 10_000 });
    await live(clock, 2_000, 100, () => dispatcher.drain());
    expect(calls).toHaveLength(10);
    expect(calls.every((ids) => ids.length === 1_000)).toBe(true);
    expect(channel.deliveries).toHaveLength(10_000);
    expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'done', replayed: 10_000 });
  });

  test('is taken once by a drain, which does not wait for the next', async () => {
    const { clock, channel, dispatcher } = await onOneStorage(5);
    await dispatcher.replays.create({ perSecond: 4 });
    await dispatcher.drain();
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(1);
    clock.advance(249);
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(1);
    clock.advance(1);
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(2);
  });

  test('is not taken twice by two processes, whichever is faster', async () => {
    const { clock, calls, channel, dispatchers, dispatcher } = await onOneStorage(500, { processes: 3 });
    const one = await dispatcher.replays.create({ perSecond: 100, eventType: 'order.created' });
    const other = await dispatcher.replays.create({ perSecond: 40, eventType: 'order.shipped' });
    await live(clock, 5_000, 50, () => Promise.all(dispatchers.map((each) => each.drain())));
    const started = calls.flat();
    expect(started).toHaveLength(500);
    expect(new Set(started).size).toBe(500);
    expect(payloads(channel)).toEqual(upTo(500));
    expect(await dispatcher.replays.get(one.id)).toMatchObject({ status: 'done', replayed: 500, skipped: 0 });
    expect(await dispatcher.replays.get(other.id)).toMatchObject({ status: 'done', replayed: 0 });
  });

  test('goes to the replay that has waited longest', async () => {
    const { clock, channel, dispatcher } = await onOneStorage(10);
    await dispatcher.dispatch('order.shipped', 'is delivered');
    await dispatcher.drain();
    channel.reset();
    const slow = await dispatcher.replays.create({ perSecond: 1 });
    const other = await dispatcher.replays.create({
      perSecond: 1,
      status: ['delivered'],
      eventType: 'order.shipped',
    });
    await live(clock, 1_000, 500, () => dispatcher.drain());
    expect(await dispatcher.replays.get(slow.id)).toMatchObject({ status: 'running', replayed: 2 });
    expect(await dispatcher.replays.get(other.id)).toMatchObject({ status: 'done', replayed: 1 });
  });

  test('skips deliveries that cannot be restarted, counts them, and does not wait for them', async () => {
    const { dispatcher, channel } = await onOneStorage(3);
    const gone = await dispatcher.webhooks.create({ ...toAll, eventTypes: ['b'] });
    channel.answerWith(() => rejected('http_status', 'never'));
    await dispatcher.dispatchMany(upTo(2_000).map((payload) => ({ type: 'b', payload })));
    await dispatcher.drain();
    channel.reset();
    const { id } = await dispatcher.replays.create({ perSecond: 1_000, webhookId: gone.id });
    await dispatcher.webhooks.delete(gone.id);
    await dispatcher.drain();
    expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'done', replayed: 0, skipped: 2_000 });
    expect(channel.attempts).toEqual([]);
  });

  test('does not restart a delivery twice when it dies again meanwhile', async () => {
    const { clock, channel, dispatcher } = await onOneStorage(40);
    channel.answerWith(() => rejected('http_status', 'never again'));
    const { id } = await dispatcher.replays.create({ perSecond: 20 });
    await live(clock, 10_000, 250, () => dispatcher.drain());
    expect(payloads(channel)).toEqual(upTo(40));
    expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'done', replayed: 40, skipped: 0 });
    expect(await dispatcher.replays.count()).toBe(40);
  });

  test.each(['delivered', 'dead'] as const)(
    'is taken again when its progress could not be stored, and a delivery that is %s is sent once',
    async (outcome) => {
      const { clock, memory, storage, channel, dispatchers } = await onOneStorage(20, { processes: 2 });
      const [first, second] = dispatchers as [(typeof dispatchers)[0], (typeof dispatchers)[0]];
      let saves = 0;
      const crashing = createDispatcher({
        storage: {
          ...storage,
          documents: {
            ...memory.documents!,
            put: async (...step) => {
              if (++saves === 2) throw new Error('the process is gone');
              return memory.documents!.put(...step);
            },
          },
        },
        channels: [channel],
        now: clock.now,
      });
      if (outcome === 'dead') channel.failNext(5, rejected('http_status', 'never again'));
      const { id } = await first.replays.create({ perSecond: 20 });
      await crashing.drain();
      clock.advance(250);
      await expect(crashing.drain()).rejects.toMatchObject({ code: 'storage_failed' });
      const { replayed } = await first.replays.get(id);
      expect(replayed).toBe(5);
      // No process gets it before its lease ends.
      clock.advance(29_000);
      await second.drain();
      expect(channel.attempts).toHaveLength(10);
      clock.advance(1_000);
      await live(clock, 2_000, 250, () => second.drain());
      expect(payloads(channel)).toEqual(upTo(20));
      expect(await first.replays.get(id)).toMatchObject({ status: 'done' });
    },
  );
});

describe('a started process', () => {
  test('runs a replay to its end by itself, and delivers at once', async () => {
    const { storage, channel } = await onOneStorage(60, { clock: { now: Date.now, advance: () => {} } });
    const dispatcher = createDispatcher({ storage, channels: [channel], pollInterval: '1h' });
    dispatcher.start();
    const finished = new Promise((resolve) => dispatcher.once('replay:finished', resolve));
    const { id } = await dispatcher.replays.create({ perSecond: 100 });
    expect(await finished).toMatchObject({ id, replayed: 60 });
    await until(() => channel.deliveries.length === 60);
    await dispatcher.stop();
    expect(payloads(channel)).toEqual(upTo(60));
  });

  test('continues a replay that another process has left', async () => {
    const { channel, dispatchers } = await onOneStorage(3, { processes: 2 });
    const [creator, worker] = dispatchers as [(typeof dispatchers)[0], (typeof dispatchers)[0]];
    await creator.replays.create();
    worker.start();
    await until(() => channel.deliveries.length === 3);
    await worker.stop();
  });

  test('announces a failed step as an error, and continues later', async () => {
    const { clock, memory, storage, channel, dispatcher } = await onOneStorage(3);
    const errors: PosthornError[] = [];
    dispatcher.on('error', (error) => void errors.push(error));
    storage.log.deliveries = () => Promise.reject(new Error('out of order'));
    const failing = createDispatcher({ storage, channels: [channel], now: clock.now });
    failing.on('error', (error) => void errors.push(error));
    failing.start();
    const { id } = await failing.replays.create();
    await until(() => errors.length);
    expect(errors).toMatchObject([{ code: 'storage_failed', message: 'storage.log.deliveries failed' }]);
    await failing.stop();
    storage.log.deliveries = memory.log.deliveries;
    clock.advance('30s');
    const mended = createDispatcher({ storage, channels: [channel], now: clock.now });
    mended.start();
    await until(async () => (await mended.replays.get(id)).status === 'done');
    await mended.stop();
    expect(channel.deliveries).toHaveLength(3);
    expect(errors).toHaveLength(1);
  });

  /** A dispatcher in the middle of a step, which the test lets continue. */
  async function amidStep() {
    const given = await onOneStorage(10);
    const { memory, storage, channel, clock } = given;
    let goOn = (): void => {};
    const isAllowed = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let isAsked = false;
    storage.log.deliveries = async (...query) => {
      isAsked = true;
      await isAllowed;
      return memory.log.deliveries(...query);
    };
    const dispatcher = createDispatcher({ storage, channels: [channel], now: clock.now });
    dispatcher.start();
    const { id } = await dispatcher.replays.create({ perSecond: 1 });
    await until(() => isAsked);
    return { ...given, other: given.dispatcher, dispatcher, goOn, id };
  }

  test('that stops finishes its step, and takes none after it', async () => {
    const { dispatcher, goOn, id, calls } = await amidStep();
    const next = await dispatcher.replays.create();
    let isStopped = false;
    const workerStopped = new Promise<void>((resolve) => dispatcher.once('worker:stopped', resolve));
    const stopped = dispatcher.stop().then(() => {
      isStopped = true;
    });
    await workerStopped;
    expect(await dispatcher.replays.get(next.id)).toMatchObject({ replayed: 0 });
    expect(isStopped).toBe(false);
    goOn();
    await stopped;
    expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'running', replayed: 1 });
    expect(await dispatcher.replays.get(next.id)).toMatchObject({ status: 'running', replayed: 0 });
    expect(calls).toHaveLength(1);
  });

  test('that stops waits for its step no longer than its grace', async () => {
    const { dispatcher, id, goOn } = await amidStep();
    await dispatcher.stop({ grace: 10 });
    expect(await dispatcher.replays.get(id)).toMatchObject({ status: 'running', replayed: 0 });
    goOn();
  });

  test('that drains waits for the step in flight', async () => {
    const { dispatcher, other, channel, goOn } = await amidStep();
    let isDrained = false;
    const drained = dispatcher.drain().then(() => {
      isDrained = true;
    });
    for (let i = 0; i < 3; i++) await other.drain();
    expect(isDrained).toBe(false);
    goOn();
    await drained;
    expect(channel.deliveries).toHaveLength(1);
    await dispatcher.stop();
  });
});
