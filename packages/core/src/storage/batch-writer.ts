/** The limits of batches. */
export interface BatchOptions {
  /** The most items in a batch of several calls. A single call with more items is a batch of its own. */
  readonly maxItems: number;
  /** Whether the first batch, too, waits for the next turn of the event loop. Default false: it is written at once. */
  readonly deferFirstBatch?: boolean;
}

/** The options of {@link batchCalls}. */
export interface BatchCallsOptions extends BatchOptions {
  /**
   * Whether to write a failed batch again in halves, because one of its calls may have caused the error. Default:
   * never.
   */
  readonly shouldSplit?: (error: unknown) => boolean;
}

/** One item to be written, with the callbacks for its result. The callbacks must not throw. */
export interface BatchedItem<Item, Result> {
  readonly item: Item;
  /** Called once when the item was written. */
  onResult(result: Result): void;
  /** Called once when the write of its batch failed. */
  onError(error: unknown): void;
}

const maxWritesOfTurn = 100;

/** Resolves in the next turn of the event loop, after the I/O that is ready now. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Turns calls into batches: while one write is in flight, later calls gather and are written together next. An idle
 * engine adds no latency. A busy engine writes in groups and yields to the event loop between them. `write` must not
 * reject.
 */
function inBatches<Call>(
  write: (calls: readonly Call[]) => Promise<void>,
  sizeOf: (call: Call) => number,
  { maxItems, deferFirstBatch = false }: BatchOptions,
): (call: Call) => void {
  const waiting: Call[] = [];
  let isWriting = false;
  let writesOfTurn = 0;

  function nextBatch(): Call[] {
    if (waiting.length === 1) return waiting.splice(0);
    let items = 0;
    const end = waiting.findIndex((call, i) => {
      items += sizeOf(call);
      return i > 0 && items > maxItems;
    });
    return waiting.splice(0, end < 0 ? waiting.length : end);
  }

  /**
   * Whether this turn of the event loop had its share of writes. A storage in memory answers within the turn: a caller
   * that awaits call after call would block the event loop.
   */
  function hasHadItsTurn(): boolean {
    if (writesOfTurn === 0) {
      setImmediate(() => {
        writesOfTurn = 0;
      });
    }
    return ++writesOfTurn > maxWritesOfTurn;
  }

  async function writeAll(): Promise<void> {
    isWriting = true;
    // Unless deferred, the first batch waits only for a microtask: it holds the calls of the same synchronous code.
    await (deferFirstBatch || hasHadItsTurn() ? nextTurn() : undefined);
    for (;;) {
      await write(nextBatch());
      if (waiting.length === 0) break;
      await nextTurn();
    }
    isWriting = false;
  }

  return (call) => {
    waiting.push(call);
    if (!isWriting) void writeAll();
  };
}

/** Returns a function whose calls are written in batches. The items of one call stay together and in order. */
export function batchCalls<Item, Result>(
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
  { shouldSplit = () => false, ...options }: BatchCallsOptions,
): (items: readonly Item[]) => Promise<readonly Result[]> {
  interface Call {
    readonly items: readonly Item[];
    readonly resolve: (results: readonly Result[]) => void;
    readonly reject: (error: unknown) => void;
  }

  async function writeBatch(calls: readonly Call[]): Promise<void> {
    const [first] = calls;
    try {
      if (calls.length === 1) return first!.resolve(await write(first!.items));
      const results = await write(calls.flatMap((call) => call.items));
      let end = 0;
      for (const { items, resolve } of calls) {
        const start = end;
        end += items.length;
        resolve(results.slice(start, end));
      }
    } catch (error) {
      if (calls.length > 1 && shouldSplit(error)) {
        const middle = calls.length >> 1;
        await writeBatch(calls.slice(0, middle));
        await writeBatch(calls.slice(middle));
      } else for (const { reject } of calls) reject(error);
    }
  }

  const add = inBatches<Call>(writeBatch, ({ items }) => items.length, options);
  return (items) => new Promise((resolve, reject) => add({ items, resolve, reject }));
}

/**
 * Returns a function that writes single items in batches. It calls back instead of returning a promise: each delivery
 * writes several items, and a promise for each would cost.
 */
export function createBatchWriter<Item, Result>(
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
  options: BatchOptions,
): (one: BatchedItem<Item, Result>) => void {
  return inBatches<BatchedItem<Item, Result>>(
    async (all) => {
      let results: readonly Result[];
      try {
        results = await write(all.map(({ item }) => item));
      } catch (error) {
        for (const one of all) one.onError(error);
        return;
      }
      for (let i = 0; i < all.length; i++) all[i]!.onResult(results[i]!);
    },
    () => 1,
    options,
  );
}
