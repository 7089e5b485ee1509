import { createDispatcher, type DispatcherOptions, type StorageAdapter } from '@posthorn/core';
import { delivered, failed } from '@posthorn/core/channel';
import type { Claim } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, until, virtualClock } from '@posthorn/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

const toAll = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };
const dying = { limit: 1_000, leaseMs: 1_000, webhookLimit: 1_000, webhookRoom: new Map() };

/** Creates a storage and an engine on one clock, and workers that die at a given step. */
async function engine(options: Partial<DispatcherOptions> = {}) {
  const clock = virtualClock();
  const storage = memoryStorage({ now: clock.now });
  const channel = recordingChannel();
  const shared = { storage, now: clock.now, retry: { jitter: 0 }, ...options };
  const dispatcher = createDispatcher({ channels: [channel], ...shared });
  await dispatcher.webhooks.create(toAll);
  return {
    ...{ clock, storage, channel, dispatcher, shared },
    /** A worker claims everything, begins what it was asked to begin, and dies. */
    async die(begins: boolean): Promise<Date> {
      const claims = await storage.deliveries.claim(dying);
      const { at } = await storage.deliveries.begin(begins ? claims : [], 0);
      clock.advance('1s');
      return at;
    },
    async only() {
      const [delivery] = (await dispatcher.deliveries.list()).items;
      return { ...delivery!, log: await dispatcher.deliveries.attempts(delivery!.id) };
    },
  };
}

/** Returns `storage` with the given methods of the queue. */
const withQueue = (
  storage: StorageAdapter,
  methods: Partial<StorageAdapter['deliveries']>,
): StorageAdapter => ({
  ...storage,
  deliveries: { ...storage.deliveries, ...methods },
});

describe('an attempt', () => {
  test('is not used up by any number of workers that die after their claim', async () => {
    const { dispatcher, channel, die } = await engine();
    for (let i = 0; i < 60; i++) await dispatcher.dispatch('a', i);
    for (let deaths = 0; deaths < 12; deaths++) await die(false);
    await dispatcher.drain();
    expect(channel.deliveries).toHaveLength(60);
    expect(channel.attempts.every(({ message }) => message.attempt === 1)).toBe(true);
  });

  test('that began with its claim and only waited uses up no retry, however many workers die', async () => {
    const retry = { schedule: ['1s'], jitter: 0 } as const;
    const { clock, dispatcher, channel, storage, die } = await engine({ retry });
    for (let i = 0; i < 60; i++) await dispatcher.dispatch('a', i);
    const claims = await storage.deliveries.claim({ ...dying, isBegun: true });
    expect(claims.every(({ begunAt }) => begunAt)).toBe(true);
    clock.advance('1s');
    for (let deaths = 0; deaths < 11; deaths++) await die(false);
    channel.answerWith(() => failed('reset', 'no'));
    await dispatcher.drain();
    clock.advance('1s');
    await dispatcher.drain();
    const { items } = await dispatcher.deliveries.list();
    expect(new Set(items.map(({ status, attempts }) => `${status} after ${attempts}`))).toEqual(
      new Set(['dead after 3']),
    );
    expect(channel.attempts).toHaveLength(120);
  });

  test('that may never have been sent is repeated, even without retries', async () => {
    const { clock, dispatcher, storage, only } = await engine({ retry: { schedule: [] } });
    await dispatcher.dispatch('a', 1);
    await storage.deliveries.claim({ ...dying, isBegun: true });
    clock.advance('1s');
    await dispatcher.drain();
    const { status, log } = await only();
    expect([status, log.map(({ outcome }) => outcome)]).toEqual(['delivered', ['unknown', 'delivered']]);
  });

  test('that was lost before a manual retry is not counted against the new schedule', async () => {
    const { clock, dispatcher, channel, storage, only } = await engine({ retry: { schedule: [] } });
    await dispatcher.dispatch('a', 1);
    await storage.deliveries.claim({ ...dying, isBegun: true });
    clock.advance('1s');
    // A worker that stops releases the claim. The lost attempt is not recorded yet.
    const [claim] = await storage.deliveries.claim(dying);
    await storage.deliveries.settle([{ claim: claim!, next: { status: 'released' } }]);
    await dispatcher.deliveries.retry(claim!.deliveryId);
    await dispatcher.drain();
    expect([(await only()).status, channel.attempts.length]).toEqual(['delivered', 1]);
  });

  test('counts as one at least where an earlier version restarted the schedule and did not store which attempt it was', async () => {
    const memory = memoryStorage();
    const storage = withQueue(memory, {
      publish: (events) => memory.deliveries.publish(events),
      claim: async (options) =>
        (await memory.deliveries.claim(options)).map((claim) => ({
          ...claim,
          ...{ attempt: claim.attempt + 1, attemptsBeforeRetry: 1, uncounted: 1 },
        })),
    });
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage, channels: [channel] });
    await dispatcher.webhooks.create(toAll);
    channel.failNext();
    await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    expect((await dispatcher.deliveries.list()).items).toMatchObject([{ status: 'pending' }]);
  });

  test('that only waited when its worker died is not a failure and does not trigger an escalation', async () => {
    const pager = recordingChannel('pager');
    const onlyAfter = { channel: 'webhook', failedAttempts: 1 };
    const { clock, dispatcher, channel, storage, shared } = await engine();
    const both = createDispatcher({ ...shared, channels: [channel, pager] });
    const [webhook] = (await dispatcher.webhooks.list()).items;
    await both.webhooks.update(webhook!.id, {
      channels: [...toAll.channels, { channel: 'pager', configs: {}, onlyAfter }],
    });
    await both.dispatch('a', 1);
    await storage.deliveries.claim({ ...dying, isBegun: true });
    clock.advance('1s');
    await both.drain();
    expect([channel.attempts.length, pager.attempts.length]).toEqual([1, 0]);
  });

  test.each<[string, Partial<DispatcherOptions>]>([
    ['skip what fails', { ordering: { behindFailure: 'skip' } }],
    ['wait for less than the first retry takes', { retry: { jitter: 0, schedule: ['2h'] } }],
  ])('that only waited when its worker died keeps its place before those that %s', async (_, options) => {
    const { clock, dispatcher, channel, storage } = await engine({ concurrency: 1, ...options });
    for (let n = 0; n < 3; n++) await dispatcher.dispatch('a', n, { orderingKey: 'k' });
    await storage.deliveries.claim({ ...dying, isBegun: true });
    clock.advance('1s');
    await dispatcher.drain();
    expect(channel.attempts.map(({ message }) => message.payload)).toEqual([0, 1, 2]);
  });

  test('whose worker died while sending is recorded as such, and is retried at once', async () => {
    const { dispatcher, channel, die, only, clock } = await engine();
    const told: unknown[] = [];
    dispatcher.on('delivery:failed', ({ attempt, retryInMs }) => {
      told.push([attempt?.number, attempt?.outcome, retryInMs]);
    });
    await dispatcher.dispatch('a', 1);
    const sentAt = await die(true);
    await dispatcher.drain();
    const { status, attempts, log } = await only();
    expect([status, attempts]).toEqual(['delivered', 2]);
    expect(log).toMatchObject([
      { number: 1, startedAt: sentAt, outcome: 'unknown', kind: 'worker_lost', durationMs: 0, status: null },
      { number: 2, startedAt: new Date(clock.now()), outcome: 'delivered' },
    ]);
    expect(told).toEqual([[1, 'unknown', 0]]);
    expect(channel.attempts.map(({ message }) => message.attempt)).toEqual([2]);
  });

  test('that kills its worker each time is dead after one attempt more than the schedule has, with that reason', async () => {
    const retry = { schedule: ['1s', '1m', '1h'], jitter: 0 } as const;
    const { dispatcher, channel, storage, die, only, clock } = await engine({ retry });
    const dead: unknown[] = [];
    dispatcher.on('delivery:dead', ({ attempt }) => void dead.push([attempt?.number, attempt?.kind]));
    await dispatcher.dispatch('a', 1);
    const waits: number[] = [];
    // The worker that finds the lost attempt records it, and dies before it sends.
    const undertaker = createDispatcher({
      ...{ channels: [channel], retry, now: clock.now },
      storage: withQueue(storage, {
        async settle(settlements) {
          const settled = await storage.deliveries.settle(settlements);
          for (const { next } of settlements) if (next.status === 'pending') waits.push(next.delayMs);
          clock.advance('30s');
          await die(true);
          return settled;
        },
      }),
    });
    undertaker.on('delivery:dead', ({ attempt }) => void dead.push([attempt?.number, attempt?.kind]));
    await die(true);
    for (let rounds = 0; rounds < 6; rounds++) await undertaker.drain();
    expect(waits, 'at once, and then after at most half a minute').toEqual([0, 1_000, 30_000, 30_000]);
    expect(dead).toEqual([[5, 'worker_lost']]);
    expect(channel.attempts).toEqual([]);
    const { status, attempts, log } = await only();
    expect([status, attempts]).toEqual(['dead', 5]);
    expect(log.map(({ number, outcome }) => [number, outcome])).toEqual(
      [1, 2, 3, 4, 5].map((number) => [number, 'unknown']),
    );
  });

  test('is not sent after its lease expired; the answer that came meanwhile is recorded', async () => {
    const options = { concurrency: 1, webhookConcurrency: 1, lease: '5s' } as const;
    const { clock, channel, dispatcher } = await engine(options);
    const held: (() => void)[] = [];
    channel.answerWith(() => new Promise((resolve) => held.push(() => resolve(delivered()))));
    const lost: string[] = [];
    dispatcher.on('delivery:lost', ({ eventType }) => void lost.push(eventType));
    await dispatcher.dispatch('first', 1);
    await dispatcher.dispatch('second', 2);
    const drained = dispatcher.drain();
    await until(() => held.length === 1);
    // The event loop is blocked for longer than the lease.
    clock.advance('6s');
    held[0]!();
    await until(() => held.length === 2);
    held[1]!();
    await drained;
    expect(lost, 'its first lease').toEqual(['second']);
    expect(channel.attempts.map(({ type, message }) => [type, message.attempt])).toEqual([
      ['first', 1],
      ['second', 1],
    ]);
    const { items } = await dispatcher.deliveries.list();
    expect(items.map(({ status, attempts }) => [status, attempts])).toEqual([
      ['delivered', 1],
      ['delivered', 1],
    ]);
  });

  test('is not sent where the process slept after the attempt began', async () => {
    const { clock, storage, shared, dispatcher, channel, only } = await engine({ lease: '5s' });
    let naps = 1;
    const sleepy = withQueue(storage, {
      async begin(claims, leftMs) {
        const answer = await storage.deliveries.begin(claims, leftMs);
        if (claims.length > 0 && naps-- > 0) clock.advance('6s');
        return answer;
      },
    });
    const worker = createDispatcher({ ...shared, channels: [channel], storage: sleepy });
    await dispatcher.dispatch('a', 1);
    await worker.drain();
    expect(channel.attempts.map(({ message }) => message.startedAt)).toEqual([new Date(clock.now())]);
    expect(await only()).toMatchObject({ status: 'delivered' });
  });

  test.each(['published it', 'claimed it'])(
    'is not sent where the machine slept until it heard that it had %s, and another worker has claimed it',
    async (how) => {
      const present = Date.now;
      let sleptMs = 0;
      // Monotonic time does not advance while the machine sleeps.
      const now = vi.spyOn(Date, 'now').mockImplementation(() => present() + sleptMs);
      onTestFinished(() => now.mockRestore());
      const storage = memoryStorage({ now: () => Date.now() });
      let willSleep = false;
      const hear = async (claims: readonly Claim[]): Promise<void> => {
        if (!willSleep || claims.length === 0) return;
        expect(claims.map(({ begunAt }) => begunAt)).toEqual([expect.any(Date)]);
        willSleep = false;
        sleptMs += 3_600_000;
        expect(await storage.deliveries.claim({ ...dying, leaseMs: 60_000 })).toHaveLength(1);
      };
      const sleepy = withQueue(storage, {
        async publish(events, options) {
          const answer = await storage.deliveries.publish(events, options);
          await hear(answer.claims);
          return answer;
        },
        async claim(options) {
          const claims = await storage.deliveries.claim(options);
          await hear(claims);
          return claims;
        },
      });
      const channel = recordingChannel();
      const limits = { concurrency: 1, webhookConcurrency: 1, pollInterval: '1h' } as const;
      const worker = createDispatcher({ ...limits, storage: sleepy, channels: [channel] });
      const other = createDispatcher({ storage, channels: [channel] });
      const lost: string[] = [];
      worker.on('delivery:lost', ({ eventType }) => void lost.push(eventType));
      await other.webhooks.create(toAll);
      worker.start();
      // At this throughput first attempts begin with their claim.
      for (let i = 0; i < 5; i++) await other.dispatch('before', i);
      await worker.drain();
      willSleep = true;
      await (how === 'published it' ? worker : other).dispatch('slept', 1);
      await worker.drain();
      await worker.stop();
      expect(channel.attempts.map(({ type }) => type)).toEqual(Array(5).fill('before'));
      expect([willSleep, lost]).toEqual([false, ['slept']]);
    },
  );

  test('that cannot be begun is not sent, and its claim is released', async () => {
    const { storage, shared, dispatcher, channel, only } = await engine();
    let failures = 1;
    const failing = withQueue(storage, {
      async begin(claims, leftMs) {
        if (claims.length > 0 && failures-- > 0) throw new Error('the storage is away');
        return storage.deliveries.begin(claims, leftMs);
      },
    });
    const worker = createDispatcher({ ...shared, channels: [channel], storage: failing });
    const errors: string[] = [];
    worker.on('error', ({ message }) => void errors.push(message));
    await dispatcher.dispatch('a', 1);
    await worker.drain();
    expect(errors).toEqual(['storage.deliveries.begin failed']);
    expect(channel.attempts.map(({ message }) => message.attempt)).toEqual([1]);
    expect(await only()).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  test('whose result cannot be written is dropped when the process stops, and leaves no timer behind', async () => {
    const { storage, shared, channel } = await engine({ lease: 50 });
    let writes = 0;
    const away = withQueue(storage, {
      async settle() {
        writes++;
        throw new Error('the storage is away');
      },
    });
    const worker = createDispatcher({ ...shared, channels: [channel], storage: away });
    const errors: string[] = [];
    worker.on('error', ({ message }) => void errors.push(message));
    worker.start();
    await worker.dispatch('a', 1);
    await until(() => writes > 0);
    await worker.stop({ grace: 0 });
    const [written, told, stoppedAt] = [writes, errors.length, performance.now()];
    // The next try would have come within 250 ms.
    await until(() => performance.now() - stoppedAt > 300);
    expect([writes, errors.length]).toEqual([written, told]);
  });

  test('does not begin while the delivery waits for a slot', async () => {
    const held: (() => void)[] = [];
    const { dispatcher, channel, storage } = await engine({ concurrency: 2, webhookConcurrency: 2 });
    channel.answerWith(() => new Promise((resolve) => held.push(() => resolve(delivered()))));
    for (let i = 0; i < 4; i++) await dispatcher.dispatch('a', i);
    const drained = dispatcher.drain();
    await until(() => held.length === 2);
    const { items } = await storage.log.deliveries('default', { limit: 10 });
    expect(items.map(({ status, attempts }) => [status, attempts]).sort()).toEqual([
      ['sending', 0],
      ['sending', 0],
      ['sending', 1],
      ['sending', 1],
    ]);
    for (let answered = 0; answered < 4; answered++) {
      await until(() => held.length > answered);
      held[answered]!();
    }
    await drained;
  });
});

describe('a delivery whose channel this process does not have', () => {
  const both = {
    name: 'both',
    eventTypes: ['*'],
    channels: ['alpha', 'beta'].map((channel) => ({ channel, configs: {} })),
  };

  async function twoProcesses() {
    const clock = virtualClock();
    const storage = memoryStorage({ now: clock.now });
    const [alpha, beta] = ['alpha', 'beta'].map((type) => recordingChannel(type)) as [
      ReturnType<typeof recordingChannel>,
      ReturnType<typeof recordingChannel>,
    ];
    const options = { storage, now: clock.now, random: () => 0.5 };
    await createDispatcher({ ...options, channels: [alpha, beta] }).webhooks.create(both);
    return {
      ...{ clock, storage, alpha, beta },
      first: createDispatcher({ ...options, channels: [alpha] }),
      second: createDispatcher({ ...options, channels: [beta] }),
    };
  }

  test('is left to a process that has the channel, and uses up no attempt', async () => {
    const { clock, alpha, beta, first, second } = await twoProcesses();
    const postponed: unknown[] = [];
    first.on('delivery:deferred', ({ channel, attempt }) => void postponed.push([channel, attempt]));
    await first.dispatch('a', 1);
    await first.drain();
    expect(postponed).toEqual([['beta', null]]);
    clock.advance('1s');
    await second.drain();
    expect([alpha.deliveries.length, beta.deliveries.length]).toEqual([1, 1]);
    expect(beta.attempts[0]!.message.attempt).toBe(1);
  });

  test('fails once no process has had the channel for a day, and then at each attempt', async () => {
    const { clock, first } = await twoProcesses();
    await first.dispatch('a', 1);
    for (let minutes = 0; minutes < 25 * 60; minutes++) {
      await first.drain();
      clock.advance('1m');
    }
    const items = (await first.deliveries.list()).items.filter(({ channel }) => channel === 'beta');
    const lacking = { kind: 'config', message: 'no channel of this type is registered in this process' };
    // The attempts of the schedule's first hour.
    expect(await first.deliveries.attempts(items[0]!.id)).toMatchObject(Array(5).fill(lacking));
  });

  test('is left to a process that has the channel, even where the event is old', async () => {
    const { clock, beta, first, second } = await twoProcesses();
    await first.dispatch('a', 1);
    await second.drain();
    clock.advance('3d');
    const { items } = await first.deliveries.list();
    const { id } = items.find(({ channel }) => channel === 'beta')!;
    await first.deliveries.retry(id);
    await first.drain();
    expect(await first.deliveries.attempts(id)).toHaveLength(1);
    clock.advance('1s');
    await second.drain();
    expect(beta.deliveries).toHaveLength(2);
  });
});
