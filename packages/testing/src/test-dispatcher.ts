import {
  type Channel,
  createDispatcher,
  type Dispatcher,
  type DispatcherOptions,
  type Duration,
  type EventCatalog,
  type Webhook,
} from '@posthorn/core';
import type { AnyChannel } from '@posthorn/core/channel';
import { toMs } from '@posthorn/core/schemas';
import type { DocumentStore } from '@posthorn/core/storage';
import { memoryStorage } from '@posthorn/storage-memory';
import { type VirtualClock, virtualClock } from './clock.js';
import { seededIds, seededRandom } from './seeded.js';

/** Options of `testDispatcher`. */
export interface TestDispatcherOptions<
  Catalog extends EventCatalog = EventCatalog,
  Channels extends AnyChannel = AnyChannel,
> extends Omit<DispatcherOptions<never, Catalog, Channels>, 'storage' | 'now' | 'ids' | 'random'> {
  /** Seeds ids and jitter: the same seed, the same run. Default 1. */
  readonly seed?: number;
  /** Where the clock begins. Default 2026-01-01T00:00:00Z. */
  readonly start?: Date;
}

/** The engine, with time in the test's hands. */
export interface TestDispatcher<
  Catalog extends EventCatalog = EventCatalog,
  Channels extends AnyChannel = Channel,
> extends Dispatcher<never, Catalog, Channels> {
  readonly clock: VirtualClock;
  /**
   * Lives through `duration`: everything that falls due in it is delivered at its own instant, retries of retries and
   * digests and the steps of replays included. Then the clock stands at its end.
   */
  advance(duration: Duration): Promise<void>;
}

/** The real engine on a memory storage, with a virtual clock and seeded ids and jitter. Nothing waits, nothing sleeps. */
export function testDispatcher<
  const Catalog extends EventCatalog = EventCatalog,
  const Channels extends AnyChannel = AnyChannel,
>(options: TestDispatcherOptions<Catalog, Channels>): TestDispatcher<Catalog, Channels> {
  const { seed = 1, start, ...rest } = options;
  const clock = virtualClock(start);
  const { now } = clock;
  const dueTimes = new Set<number>();
  const storage = memoryStorage({ now });
  const documents: DocumentStore = {
    ...storage.documents!,
    put(write, version) {
      if (write.dueInMs !== null) dueTimes.add(now() + write.dueInMs);
      return storage.documents!.put(write, version);
    },
  };
  const dispatcher = createDispatcher<never, Catalog, Channels>({
    ...(rest as DispatcherOptions<never, Catalog, Channels>),
    storage: { ...storage, documents },
    now,
    ids: seededIds(seed, now),
    random: seededRandom(seed),
  });
  /** How long the digests of any webhook gather. */
  const windows = new Set<number>();
  const addWindows = ({ channels }: Webhook): void => {
    for (const { digest } of channels) if (digest) windows.add(Number(digest.window));
  };
  dispatcher.on('webhook:created', addWindows).on('webhook:updated', addWindows);
  const windowsBegin = (): void => {
    for (const window of windows) dueTimes.add(now() + window);
  };
  // What fails may begin an escalation, which may gather.
  dispatcher.on('event:dispatched', windowsBegin).on('delivery:dead', windowsBegin);
  dispatcher.on('delivery:deferred', ({ retryInMs }) => void dueTimes.add(now() + retryInMs));
  dispatcher.on('delivery:failed', ({ retryInMs }) => {
    dueTimes.add(now() + retryInMs);
    windowsBegin();
  });

  async function advance(duration: Duration): Promise<void> {
    const end = now() + toMs(duration, 'duration');
    await dispatcher.drain();
    for (let next = earliest(dueTimes); next <= end; next = earliest(dueTimes)) {
      dueTimes.delete(next);
      clock.advance(Math.max(0, next - now()));
      await dispatcher.drain();
    }
    clock.advance(end - now());
    await dispatcher.drain();
  }

  return Object.assign(dispatcher, { clock, advance });
}

/** Not by spreading them into Math.min: there may be more than a call has room for. */
function earliest(times: Iterable<number>): number {
  let first = Number.POSITIVE_INFINITY;
  for (const time of times) first = Math.min(first, time);
  return first;
}
