export interface GatherOptions {
  /** How many items a batch of several calls may have. */
  readonly maxItems: number;
  /** Whether a failed batch is written again in halves, because one of its calls may be to blame. Default: never. */
  readonly isOnesFault?: (error: unknown) => boolean;
  /** Whether the first batch, too, waits until this turn of the event loop is over. Default: it goes at once. */
  readonly isPatient?: boolean;
}

const maxWritesOfTurn = 100;

/** Resolves in the next turn of the event loop, after what is there to be read now. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Turns calls into batches: while one write is in flight, later calls gather and go as the next. An idle engine adds
 * no latency, a busy one writes in groups, and lets the event loop turn in between. A call's items stay together and
 * in order.
 */
export function gather<Item, Result>(
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
  options: GatherOptions,
): (items: readonly Item[]) => Promise<readonly Result[]> {
  const { maxItems, isOnesFault = () => false, isPatient = false } = options;
  interface Call {
    readonly items: readonly Item[];
    readonly resolve: (results: readonly Result[]) => void;
    readonly reject: (error: unknown) => void;
  }
  const waiting: Call[] = [];
  let isWriting = false;
  let writesOfTurn = 0;

  function nextBatch(): Call[] {
    if (waiting.length === 1) return waiting.splice(0);
    let items = 0;
    const end = waiting.findIndex((call, i) => {
      items += call.items.length;
      return i > 0 && items > maxItems;
    });
    return waiting.splice(0, end < 0 ? waiting.length : end);
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
      if (calls.length > 1 && isOnesFault(error)) {
        const middle = calls.length >> 1;
        await writeBatch(calls.slice(0, middle));
        await writeBatch(calls.slice(middle));
      } else for (const { reject } of calls) reject(error);
    }
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
    await (isPatient || hasHadItsTurn() ? nextTurn() : undefined);
    for (;;) {
      await writeBatch(nextBatch());
      if (waiting.length === 0) break;
      await nextTurn();
    }
    isWriting = false;
  }

  return (items) =>
    new Promise((resolve, reject) => {
      waiting.push({ items, resolve, reject });
      if (!isWriting) void writeAll();
    });
}
