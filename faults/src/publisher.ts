import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { type EngineSettings, engine } from './engine.js';

/*
 * A publisher process: `publisher <settings> <file> <plan>`. It records the acknowledged events durably. A rejected
 * event may have been stored anyway, if the connection was lost.
 */

interface Plan {
  readonly count: number;
  readonly perSecond: number;
  readonly types: readonly string[];
  /** Whether half of the events are dispatched in a transaction that rolls back. */
  readonly inTransactions?: boolean;
  /**
   * The number of ordering keys, used in turn. Events of one key are dispatched one after another, so that they have an
   * order.
   */
  readonly orderingKeys?: number;
  /**
   * Whether each event waits for the acknowledgement of the one before. Otherwise concurrent events are published
   * together.
   */
  readonly oneByOne?: boolean;
  /** Whether the worker runs in this process, so that it prefetches deliveries. */
  readonly works?: boolean;
}

const settings: EngineSettings = JSON.parse(process.argv[2]!);
const file = openSync(process.argv[3]!, 'a');
const plan: Plan = JSON.parse(process.argv[4]!);
const { dispatcher, pool } = await engine(settings);
dispatcher.on('error', () => {});
if (plan.works) dispatcher.start();
let refused = 0;

function acknowledge(id: string): void {
  writeSync(file, `${id}\n`);
  fsyncSync(file);
}

/** The latest event of each ordering key. */
const latest = new Map<string, Promise<void>>();

function publishInTurn(n: number): Promise<void> {
  if (plan.orderingKeys === undefined) return publishOne(n);
  const orderingKey = `key-${n % plan.orderingKeys}`;
  const turn = (latest.get(orderingKey) ?? Promise.resolve()).then(() => publishOne(n, { orderingKey }));
  latest.set(orderingKey, turn);
  return turn;
}

async function publishOne(n: number, details: { orderingKey?: string } = {}): Promise<void> {
  const type = plan.types[n % plan.types.length]!;
  try {
    if (!plan.inTransactions) {
      acknowledge((await dispatcher.dispatch(type, { n, text: 'x'.repeat(200) }, details)).eventId);
      return;
    }
    const client = await pool.connect();
    // An idle connection that ends is reported here.
    client.on('error', () => {});
    try {
      await client.query('begin');
      await client.query('insert into orders (n) values ($1)', [n]);
      const { eventId } = await dispatcher.dispatch(type, { n }, { tx: client });
      await client.query(n % 2 === 0 ? 'commit' : 'rollback');
      if (n % 2 === 0) acknowledge(eventId);
    } finally {
      client.release(true);
    }
  } catch {
    refused++;
  }
}

const begin = performance.now();
const publishing: Promise<void>[] = [];
for (let n = 0; n < plan.count; n++) {
  const wait = begin + (n * 1_000) / plan.perSecond - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  publishing.push(publishInTurn(n));
  if (plan.oneByOne) await publishing.at(-1);
}
await Promise.all(publishing);
closeSync(file);
process.send?.({ refused });
process.on('disconnect', () => process.exit());
