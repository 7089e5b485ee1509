export interface BatchOptions {
  /** How many items a batch of several calls may have. */
  readonly maxItems: number;
  /** Whether the first batch, too, waits until this turn of the event loop is over. Default: it goes at once. */
  readonly deferFirstBatch?: boolean;
}

export interface BatchCallsOptions extends BatchOptions {
  /** Whether a failed batch is written again in halves, because one of its calls may be to blame. Default: never. */
  readonly shouldSplit?: (error: unknown) => boolean;
}

/** One item to be written, and who hears of it. Neither may throw. */
export interface BatchedItem<Item, Result> {
  readonly item: Item;
  onResult(result: Result): void;
  onError(error: unknown): void;
}

const maxWritesOfTurn = 100;

/** Resolves in the next turn of the event loop, after what is there to be read now. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Turns calls into batches: while one write is in flight, later calls gather and go as the next. An idle engine adds
 * no latency, a busy one writes in groups, and lets the event loop turn in between. `write` never rejects.
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

  /** A storage in memory answers without a turn of the event loop: a caller that waits for each call must not stop it. */
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
    // Without patience it waits for no more than what is called in the same breath.
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

/** Batches of calls that resolve; the items of one stay together and in order. */
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

/** Batches of single items, without a promise for each: there are several for every delivery. */
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
