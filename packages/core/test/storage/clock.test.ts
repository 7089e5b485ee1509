import { createDispatcher } from '@posthorn/core';
import { firstEventId } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { StorageClock } from '../../src/storage/clock.js';

/** Collects the codes of the warnings that the process emits during the test. */
function warningsHere(): string[] {
  const codes: string[] = [];
  const listener = (warning: Error & { code?: string }) => void codes.push(warning.code ?? '');
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return codes;
}

/** Warnings are emitted in a later turn of the event loop. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the storage's clock in a process", () => {
  test('is the clock of the process until the storage returns its time; from then on it advances with monotonic time', () => {
    let [wall, monotonic] = [1_000_000, 500];
    const clock = new StorageClock(
      () => wall,
      () => monotonic,
    );
    expect([clock.isSet, clock.now()]).toEqual([false, 1_000_000]);
    clock.set(new Date(1_002_000));
    expect([clock.isSet, clock.now()]).toEqual([true, 1_002_000]);
    // The clock of the machine is set back.
    wall -= 600_000;
    monotonic += 250;
    expect(clock.now()).toBe(1_002_250);
  });

  test('uses the fastest answer, and follows where the clock of the storage has been set', () => {
    let monotonic = 0;
    const clock = new StorageClock(
      () => 0,
      () => monotonic,
    );
    clock.set(new Date(10_000));
    monotonic = 100;
    clock.set(new Date(10_050));
    expect(clock.now(), 'the answer took 50 ms').toBe(10_100);
    clock.set(new Date(10_130));
    expect(clock.now(), 'the first one took 30 ms').toBe(10_130);
    clock.set(new Date(5_000));
    expect(clock.now(), 'it was set back by five seconds').toBe(5_000);
  });

  test('is not set back by a slow answer, and does not warn because of it', async () => {
    const codes = warningsHere();
    let monotonic = 0;
    const clock = new StorageClock(
      () => 1_000_000 + monotonic,
      () => monotonic,
    );
    clock.set(new Date(1_000_000));
    // An open transaction that holds one of its keys delays the write, whose answer has the time when it began.
    const asked = clock.read();
    monotonic = 40_000;
    clock.set(new Date(1_000_000), asked);
    expect(clock.now()).toBe(1_040_000);
    clock.set(new Date(1_030_000));
    expect(clock.now(), 'it was set back by ten seconds').toBe(1_030_000);
    await nextTurn();
    expect(codes).toEqual([]);
  });

  test.each([
    ['the machine has slept, which monotonic time does not count', 3_600_000],
    ["the process's own clock was set back", -600_000],
  ])('is asked for again where %s', (_, jumpMs) => {
    let [wall, monotonic] = [1_000_000, 500];
    const clock = new StorageClock(
      () => wall,
      () => monotonic,
    );
    clock.set(new Date(1_000_000));
    wall += 5_000;
    monotonic += 5_000;
    expect(clock.isSet).toBe(true);
    wall += jumpMs;
    expect(clock.isSet).toBe(false);
    clock.set(new Date(wall));
    expect([clock.isSet, clock.now()]).toEqual([true, wall]);
  });

  test.each([
    ['before', 1_000_000],
    ['after', 4_600_000],
  ])(
    'is asked for again where the machine slept while the answer of %s was in flight, and does not count as off',
    async (_, at) => {
      const codes = warningsHere();
      let wall = 1_000_000;
      const clock = new StorageClock(
        () => wall,
        () => 500,
      );
      clock.set(new Date(wall));
      const asked = clock.read();
      // Monotonic time does not advance while the machine sleeps.
      wall += 3_600_000;
      clock.set(new Date(at), asked);
      expect(clock.isSet).toBe(false);
      clock.set(new Date(wall));
      expect([clock.isSet, clock.now()]).toEqual([true, wall]);
      await nextTurn();
      expect(codes).toEqual([]);
    },
  );

  test.each([
    [40_000, 10_000, 0],
    [40_001, 10_000, 1],
    [-30_000, 10_000, 0],
    [-30_001, 10_000, 1],
  ])(
    'does not warn about a process that is off by %d ms when the answer comes, after waiting %d ms',
    async (offMs, waitedMs, times) => {
      const codes = warningsHere();
      const at = 1_000_000;
      let now = at + offMs - waitedMs;
      const clock = new StorageClock(
        () => now,
        () => now,
      );
      const asked = clock.read();
      now += waitedMs;
      clock.set(new Date(at), asked);
      await nextTurn();
      expect(codes).toEqual(Array(times).fill('POSTHORN_CLOCK_OFF'));
    },
  );

  test.each([
    [30_001, 1],
    [-30_001, 1],
    [30_000, 0],
    [-30_000, 0],
  ])('warns once where the process is off by more than 30 s: %d ms', async (offMs, times) => {
    const codes = warningsHere();
    const now = Date.now();
    const clock = new StorageClock(
      () => now + offMs,
      () => now,
    );
    for (let answers = 0; answers < 3; answers++) clock.set(new Date(now));
    await nextTurn();
    expect(codes).toEqual(Array(times).fill('POSTHORN_CLOCK_OFF'));
  });
});

describe('a process whose clock is off by ten minutes', () => {
  const offMs = 600_000;

  async function engine() {
    warningsHere();
    const channel = recordingChannel();
    const storage = memoryStorage({ now: () => Date.now() - offMs });
    const dispatcher = createDispatcher({ storage, channels: [channel] });
    await dispatcher.webhooks.create({
      name: 'all',
      eventTypes: ['*'],
      channels: [{ channel: 'webhook', configs: {} }],
    });
    return { dispatcher, channel };
  }

  const isNearStorage = (at: Date | number): boolean => Math.abs(Number(at) - (Date.now() - offMs)) < 60_000;

  test("gives events, attempts and signatures the storage's time, from the first one on", async () => {
    const { dispatcher, channel } = await engine();
    const { eventId } = await dispatcher.dispatch('a', 1);
    await dispatcher.drain();
    const [{ message }] = channel.attempts as [(typeof channel.attempts)[number]];
    expect(isNearStorage(message.startedAt)).toBe(true);
    expect(isNearStorage(message.event.occurredAt)).toBe(true);
    const [attempt] = await dispatcher.deliveries.attempts(message.deliveryId);
    expect(attempt!.startedAt).toEqual(message.startedAt);
    expect(eventId > firstEventId(Date.now() - offMs - 60_000)).toBe(true);
    expect(eventId < firstEventId(Date.now() - offMs + 60_000)).toBe(true);
  });

  test('keeps the time that the application gives an event', async () => {
    const { dispatcher, channel } = await engine();
    const occurredAt = new Date('2020-02-02T02:02:02Z');
    await dispatcher.dispatch('a', 1, { occurredAt });
    await dispatcher.drain();
    expect(channel.attempts[0]!.message.event.occurredAt).toEqual(occurredAt);
  });
});

describe('a process whose machine has slept', () => {
  /** Stops monotonic time, as while the machine sleeps. */
  function standstill(): (ms: number) => void {
    const present = Date.now;
    let sleptMs = 0;
    const now = vi.spyOn(Date, 'now').mockImplementation(() => present() + sleptMs);
    onTestFinished(() => now.mockRestore());
    return (ms) => {
      sleptMs += ms;
    };
  }

  test("gives events the storage's time, even where it slept while it asked for that time", async () => {
    const stand = standstill();
    const codes = warningsHere();
    const storage = memoryStorage({ now: () => Date.now() });
    const naps = [3_600_000];
    const begin: typeof storage.deliveries.begin = async (...given) => {
      const begun = await storage.deliveries.begin(...given);
      stand(naps.pop() ?? 0);
      return begun;
    };
    const deliveries = { ...storage.deliveries, begin };
    const { dispatch, events } = createDispatcher({ storage: { ...storage, deliveries }, channels: [] });
    const { eventId } = await dispatch('a', 1);
    expect(naps).toEqual([]);
    const { occurredAt } = await events.get(eventId);
    expect(Math.abs(occurredAt.getTime() - Date.now())).toBeLessThan(60_000);
    await nextTurn();
    expect(codes).not.toContain('POSTHORN_CLOCK_OFF');
  });

  test("gives attempts the storage's time, including those that begin with their claim", async () => {
    const stand = standstill();
    const channel = recordingChannel();
    const storage = memoryStorage({ now: () => Date.now() });
    const begun: boolean[] = [];
    const claim: typeof storage.deliveries.claim = async (options) => {
      const claims = await storage.deliveries.claim(options);
      begun.push(...claims.map(({ begunAt }) => begunAt !== undefined));
      return claims;
    };
    const worker = createDispatcher({
      storage: { ...storage, deliveries: { ...storage.deliveries, claim } },
      channels: [channel],
      ...{ concurrency: 1, webhookConcurrency: 1 },
    });
    const other = createDispatcher({ storage, channels: [channel] });
    const channels = [{ channel: 'webhook', configs: {} }];
    await other.webhooks.create({ name: 'all', eventTypes: ['*'], channels });
    // At this throughput first attempts begin with their claim.
    for (let i = 0; i < 5; i++) await other.dispatch('before', i);
    await worker.drain();
    stand(3_600_000);
    await other.dispatch('slept', 1);
    await worker.drain();
    expect(begun.at(-1)).toBe(true);
    const { type, message } = channel.attempts.at(-1)!;
    expect([type, Math.abs(message.startedAt.getTime() - Date.now()) < 60_000]).toEqual(['slept', true]);
  });
});
