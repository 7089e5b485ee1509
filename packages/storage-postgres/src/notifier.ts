import { type Notifier, PosthornError } from '@posthorn/core';
import { describeType, maxTimerMs, withDeadline } from '@posthorn/core/storage';

/** The part of a `pg` Client that hints need. */
export interface HintClient {
  connect(): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: `pg` itself declares its values so.
  query(text: string, values?: any[]): Promise<unknown>;
  on(event: 'notification' | 'error' | 'end', listener: () => void): unknown;
  end(): Promise<void>;
  /** Lets the process exit although the connection is open. */
  unref?(): void;
  /** The socket, which can be destroyed at once: a dead connection does not answer a regular end. */
  readonly connection?: { readonly stream?: { destroy?(): unknown } };
}

/** Options of `postgresNotifier`. */
export interface PostgresNotifierOptions {
  /** The channel of the hints in the database: 1 to 63 letters, digits and `_`. Default `posthorn`. */
  readonly channel?: string;
  /**
   * The interval of the connection's health checks, and their timeout, in milliseconds: 1 to 2,147,483,647. Default
   * 5,000.
   */
  readonly heartbeatMs?: number;
}

const firstWaitMs = 100;
const longestWaitMs = 5_000;
/** How long a connection may take to end. A stop does not wait for a dead connection. */
const closeTimeoutMs = 1_000;

/**
 * Creates a notifier that sends hints with LISTEN and NOTIFY. It uses one connection of its own, which it opens on
 * first use, and reopens when it ends or stops answering. `connect` creates a client that is not connected yet: `() =>
 * new pg.Client(…)`. It must connect to the server itself: a pooler in transaction mode does not pass hints on. Throws
 * `invalid_option`.
 */
export function postgresNotifier(connect: () => HintClient, options: PostgresNotifierOptions = {}): Notifier {
  const { channel = 'posthorn', heartbeatMs = 5_000 } = options;
  if (typeof connect !== 'function') {
    throw new PosthornError('invalid_option', `connect must be a function, not ${describeType(connect)}`);
  }
  if (typeof channel !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(channel)) {
    throw new PosthornError('invalid_option', 'channel must be 1 to 63 letters, digits and _');
  }
  if (!Number.isInteger(heartbeatMs) || heartbeatMs < 1 || heartbeatMs > maxTimerMs) {
    throw new PosthornError(
      'invalid_option',
      `heartbeatMs must be a whole number of milliseconds, 1 to ${maxTimerMs}`,
    );
  }
  return new PostgresNotifier(connect, channel, heartbeatMs);
}

interface Connection {
  readonly client: HintClient;
  readonly opened: Promise<unknown>;
  isListening: boolean;
}

class PostgresNotifier implements Notifier {
  readonly #connect: () => HintClient;
  readonly #channel: string;
  readonly #heartbeatMs: number;
  readonly #listeners = new Set<() => void>();
  #connection: Connection | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #reopening: NodeJS.Timeout | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  #waitMs = firstWaitMs;

  constructor(connect: () => HintClient, channel: string, heartbeatMs: number) {
    this.#connect = connect;
    this.#channel = channel;
    this.#heartbeatMs = heartbeatMs;
  }

  async notify(): Promise<void> {
    await this.#ask('select pg_notify($1, $2)', [this.#channel, '']);
    clearTimeout(this.#closeTimer);
    if (this.#listeners.size > 0) return;
    // A process that only notifies has nothing that stops the notifier.
    this.#closeTimer = setTimeout(() => void this.#close(), this.#heartbeatMs).unref();
  }

  async listen(onHint: () => void): Promise<() => Promise<void>> {
    clearTimeout(this.#closeTimer);
    this.#connection ??= this.#open();
    this.#listeners.add(onHint);
    this.#heartbeat ??= setInterval(() => void this.#check(), this.#heartbeatMs).unref();
    // While the server is away, connecting is retried until it succeeds. The poll finds deliveries meanwhile.
    await this.#check();
    return async () => {
      this.#listeners.delete(onHint);
      if (this.#listeners.size === 0) await this.#close();
    };
  }

  /**
   * The heartbeat: repeats LISTEN, which has no effect when it is active already, and shows that the server answers.
   */
  async #check(): Promise<void> {
    try {
      const connection = await this.#ask(`listen "${this.#channel}"`);
      if (connection.isListening) return;
      connection.isListening = true;
      // Hints that were sent while the connection was down are lost.
      this.#hint();
    } catch {
      // The connection was dropped, and is reopened.
    }
  }

  /** Runs a statement with a time limit, and drops the connection if it does not answer. */
  async #ask(text: string, values?: string[]): Promise<Connection> {
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      await withDeadline(
        connection.opened.then(() => connection.client.query(text, values)),
        this.#heartbeatMs,
        silent,
      );
    } catch (cause) {
      this.#drop(connection);
      throw new PosthornError('storage_failed', 'the connection for hints failed', { cause });
    }
    this.#waitMs = firstWaitMs;
    return connection;
  }

  #open(): Connection {
    try {
      const client = this.#connect();
      const opened = client.connect().then(() => client.unref?.());
      const connection = { client, opened, isListening: false };
      client.on('error', () => this.#drop(connection));
      client.on('end', () => this.#drop(connection));
      client.on('notification', () => this.#hint());
      return connection;
    } catch (cause) {
      throw new PosthornError('invalid_option', 'connect must create a pg client that is not connected yet', {
        cause,
      });
    }
  }

  #drop(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    end(connection.client);
    if (this.#listeners.size === 0) return;
    this.#reopening = setTimeout(() => void this.#check(), this.#waitMs);
    this.#reopening.unref();
    this.#waitMs = Math.min(2 * this.#waitMs, longestWaitMs);
  }

  #hint(): void {
    for (const onHint of this.#listeners) onHint();
  }

  async #close(): Promise<void> {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#reopening);
    clearTimeout(this.#closeTimer);
    this.#heartbeat = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
    if (!connection) return;
    await withDeadline(
      connection.opened.then(() => connection.client.end()),
      closeTimeoutMs,
      silent,
    ).catch(() => end(connection.client));
  }
}

const silent = (): never => {
  throw new Error('no answer in time');
};

/** Ends a connection that may be dead, without waiting for it. */
function end(client: HintClient): void {
  client.end().catch(() => {});
  client.connection?.stream?.destroy?.();
}
