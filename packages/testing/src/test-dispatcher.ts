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
import { type MemoryTransaction, memoryStorage } from '@posthorn/storage-memory';
import { type VirtualClock, virtualClock } from './clock.js';
import { seededIds, seededRandom } from './seeded.js';

/** Options of `testDispatcher`. */
export interface TestDispatcherOptions<
  Catalog extends EventCatalog = EventCatalog,
  Channels extends AnyChannel = AnyChannel,
> extends Omit<
    DispatcherOptions<MemoryTransaction, Catalog, Channels>,
    'storage' | 'now' | 'ids' | 'random'
  > {
  /** Seeds ids and jitter: the same seed, the same run. Default 1. */
  readonly seed?: number;
  /** Where the clock begins. Default 2026-01-01T00:00:00Z. */
  readonly start?: Date;
}

/**
 * The engine, with time in the test's hands. It is a `Dispatcher` of any transaction, so that it fits where the
 * application's own is asked for; a `tx` that it did not begin is refused when it is passed.
 */
export interface TestDispatcher<
  Catalog extends EventCatalog = EventCatalog,
  Channels extends AnyChannel = Channel,
  // biome-ignore lint/suspicious/noExplicitAny: only `any` fits every transaction in both directions.
> extends Dispatcher<any, Catalog, Channels> {
  /** The clock of the engine and of its storage. It stands still between calls of `advance`. */
  readonly clock: VirtualClock;
  /**
   * Begins a transaction that stands in for your database's: pass it as `tx`. What is dispatched in it is delivered and
   * announced after its `commit()`, and leaves nothing after its `rollback()`. It runs no SQL.
   *
   * @example
   * const tx = posthorn.transaction();
   * await posthorn.dispatch('order.placed', { orderId: 'o1' }, { tx });
   * await tx.commit();
   */
  transaction(): MemoryTransaction;
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
  const storage = memoryStorage({ now, transactions: true });
  const documents: DocumentStore = {
    ...storage.documents!,
    put(write, version) {
      if (write.dueInMs !== null) dueTimes.add(now() + write.dueInMs);
      return storage.documents!.put(write, version);
    },
  };
  const dispatcher = createDispatcher<MemoryTransaction, Catalog, Channels>({
    ...(rest as DispatcherOptions<MemoryTransaction, Catalog, Channels>),
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

  /** A commit announces no `event:dispatched`, so it begins the windows itself. */
  function transaction(): MemoryTransaction {
    const tx = storage.transaction();
    const commit = tx.commit.bind(tx);
    return Object.assign(tx, {
      async commit() {
        await commit();
        windowsBegin();
      },
    });
  }

  return Object.assign(dispatcher, { clock, advance, transaction });
}

/** Not by spreading them into Math.min: there may be more than a call has room for. */
function earliest(times: Iterable<number>): number {
  let first = Number.POSITIVE_INFINITY;
  for (const time of times) first = Math.min(first, time);
  return first;
}
