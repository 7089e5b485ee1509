import { httpChannel } from '@posthorn/channel-http';
import { type Channel, createDispatcher, type Dispatcher, type Message, type Storage } from '@posthorn/core';
import { postgresNotifier, postgresStorage, type Transaction } from '@posthorn/storage-postgres';
import pg from 'pg';

/** What a process of the harness is told: whom to talk to, and where to die. */
export interface EngineSettings {
  readonly url: string;
  readonly leaseMs?: number;
  readonly pollMs?: number;
  readonly deadlineMs?: number;
  readonly concurrency?: number;
  readonly poolMax?: number;
  /** Of a worker: it starts when it is told to. */
  readonly waits?: boolean;
  /** Listens and notifies; through another address where hints take another way. */
  readonly hints?: boolean;
  readonly hintUrl?: string;
  /** Every statement on another connection, whose session is wiped: as a pooler in transaction mode. */
  readonly isPooled?: boolean;
  /** `settle:sent` and the like: the process kills itself the n-th time that it comes there. */
  readonly failAt?: string;
  readonly failNth?: number;
  /** The type of the event that ends whoever sends it. */
  readonly poison?: string;
}

const schedule = [200, 400, 800, 1_600];

/** The steps of a delivery that a process may die at; `sent` is after a statement left, before its answer is heard. */
export const steps = ['publish', 'claim', 'begin', 'renew', 'settle', 'send'] as const;
export const moments = ['before', 'sent', 'after'] as const;

function failPoint({ failAt, failNth = 1 }: EngineSettings): (step: string) => void {
  let passed = 0;
  return (step) => {
    if (step === failAt && ++passed === failNth) process.kill(process.pid, 'SIGKILL');
  };
}

export interface Engine {
  readonly dispatcher: Dispatcher<Transaction>;
  readonly pool: pg.Pool;
  /** How many statements the storage has sent. */
  statements(): number;
  close(): Promise<void>;
}

export async function engine(settings: EngineSettings): Promise<Engine> {
  const pass = failPoint(settings);
  const pool = new pg.Pool({
    connectionString: settings.url,
    max: settings.poolMax ?? 10,
    connectionTimeoutMillis: 3_000,
  });
  /** The step that statements are sent for now; one is under way at a time, as far as fail points are concerned. */
  let step = '';
  let sent = 0;
  const clients = new WeakSet<pg.PoolClient>();
  /** Counts what is sent over the connection, and passes the fail points of it. */
  function watch(client: pg.PoolClient): pg.PoolClient {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    if (!clients.has(client)) {
      clients.add(client);
      client.query = ((...args: unknown[]) => {
        sent++;
        const answer = query(...args);
        // The bytes have left when the next turn of the event loop comes; the answer has not.
        if (step !== '') setTimeout(() => pass(`${step}:sent`), 0);
        return answer;
      }) as typeof client.query;
    }
    if (settings.isPooled) withoutSession(client);
    return client;
  }
  // Its connections are the pool's own, which has to know of each that goes.
  const watched = Object.assign(Object.create(pool) as pg.Pool, {
    connect: async () => watch(await pool.connect()),
  });
  const storage = postgresStorage(watched as never, { timeoutMs: 3_000 });

  const around =
    <Args extends unknown[], Result>(name: string, method: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      pass(`${name}:before`);
      step = settings.failAt?.startsWith(`${name}:`) ? name : step;
      const result = await method(...args);
      step = '';
      pass(`${name}:after`);
      return result;
    };
  const { publish, claim, begin, renew, settle } = storage.deliveries;
  const { transition } = storage.log;
  const failing: Storage<Transaction> = {
    ...storage,
    deliveries: {
      publish: around('publish', publish),
      claim: around('claim', claim),
      begin: around('begin', begin),
      renew: around('renew', renew),
      settle: around('settle', settle),
    },
    log: { ...storage.log, transition: around('transition', transition) },
  };
  const http = httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } });
  const channel: Channel<never> = {
    ...(http as unknown as Channel<never>),
    async send(message: Message, signal) {
      pass('send:before');
      if (message.event.type === settings.poison) process.kill(process.pid, 'SIGKILL');
      const sending = http.send(message as never, signal);
      setTimeout(() => pass('send:sent'), 0);
      const verdict = await sending;
      pass('send:after');
      return verdict;
    },
  };
  const { hintUrl = settings.url } = settings;
  const dispatcher = createDispatcher({
    storage: failing,
    channels: [channel],
    retry: { schedule },
    attemptDeadline: settings.deadlineMs ?? 3_000,
    lease: settings.leaseMs ?? 5_000,
    pollInterval: settings.pollMs ?? 500,
    concurrency: settings.concurrency ?? 50,
    webhookConcurrency: settings.concurrency ?? 50,
    ...(settings.hints && {
      notifier: postgresNotifier(
        () => new pg.Client({ connectionString: hintUrl, connectionTimeoutMillis: 3_000 }),
        { heartbeatMs: 2_000 },
      ),
    }),
  });
  return {
    dispatcher,
    pool,
    statements: () => sent,
    async close() {
      await dispatcher.stop({ grace: 0 });
      await pool.end();
    },
  };
}

/** Leaves nothing of the session when it is given back. `pg` remembers what it prepared; the server does not any more. */
function withoutSession(client: pg.PoolClient): void {
  const { release } = client;
  client.release = (isBroken) => {
    void client
      .query('discard all')
      .catch(() => {})
      .then(() => release(isBroken));
  };
}
