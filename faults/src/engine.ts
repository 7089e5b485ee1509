import { httpChannel } from '@posthorn/channel-http';
import { type Channel, createDispatcher, type Dispatcher, type StorageAdapter } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import { postgresNotifier, postgresStorage, type Transaction } from '@posthorn/storage-postgres';
import pg from 'pg';

/** The settings of a process of the harness: which servers it uses, and where it dies. */
export interface EngineSettings {
  readonly url: string;
  readonly leaseMs?: number;
  readonly pollMs?: number;
  readonly deadlineMs?: number;
  readonly concurrency?: number;
  readonly poolMax?: number;
  /** Whether a worker waits for the message `start`. */
  readonly waits?: boolean;
  /** The address for LISTEN and NOTIFY, if it differs. */
  readonly hints?: boolean;
  readonly hintUrl?: string;
  /** Whether every statement runs on another connection without session state, as with a pooler in transaction mode. */
  readonly isPooled?: boolean;
  /** A fail point such as `settle:sent`: the process kills itself the n-th time that it gets there. */
  readonly failAt?: string;
  readonly failNth?: number;
  /** The type of the event that crashes the process that sends it. */
  readonly poison?: string;
}

const schedule = [200, 400, 800, 1_600];

/** The steps of a delivery at which a process may die. `sent` is after a statement was sent and before its answer. */
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
  /** The number of statements that the storage has sent. */
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
  /** The step of the current statements. For fail points, only one step is in progress at a time. */
  let step = '';
  let sent = 0;
  const clients = new WeakSet<pg.PoolClient>();
  /** Counts the statements of a connection, and checks their fail points. */
  function watch(client: pg.PoolClient): pg.PoolClient {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    if (!clients.has(client)) {
      clients.add(client);
      client.query = ((...args: unknown[]) => {
        sent++;
        const answer = query(...args);
        // By the next turn of the event loop the bytes are sent, and the answer has not arrived.
        if (step !== '') setTimeout(() => pass(`${step}:sent`), 0);
        return answer;
      }) as typeof client.query;
    }
    if (settings.isPooled) withoutSession(client);
    return client;
  }
  // The pool owns its connections and has to know of each one that is removed.
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
  const failing: StorageAdapter<Transaction> = {
    ...storage,
    deliveries: {
      ...storage.deliveries,
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

/**
 * Discards the session state when a connection is released. `pg` remembers its prepared statements; the server does
 * not.
 */
function withoutSession(client: pg.PoolClient): void {
  const { release } = client;
  client.release = (isBroken) => {
    void client
      .query('discard all')
      .catch(() => {})
      .then(() => release(isBroken));
  };
}
