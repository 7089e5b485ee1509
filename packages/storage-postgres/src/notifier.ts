import { kindOf, maxTimerMs, type Notifier, PosthornError } from '@posthorn/core';
import { withinTime } from './client/within-time.js';

/** The slice of a `pg` Client that hints need. */
export interface HintClient {
  connect(): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: `pg` itself declares its values so.
  query(text: string, values?: any[]): Promise<unknown>;
  on(event: 'notification' | 'error' | 'end', listener: () => void): unknown;
  end(): Promise<void>;
  /** Lets the process end though the connection is open. */
  unref?(): void;
  /** Where there is a socket to be ended at once: a connection that is dead does not say goodbye. */
  readonly connection?: { readonly stream?: { destroy?(): unknown } };
}

export interface PostgresNotifierOptions {
  /** What the hints are called in the database: letters, digits and `_`, at most 63. Default `posthorn`. */
  readonly channel?: string;
  /**
   * How often the connection is asked whether it lives, and how long it may take to say so, in milliseconds: 1 to 2,147,483,647.
   * Default 5,000.
   */
  readonly heartbeatMs?: number;
}

const firstWaitMs = 100;
const longestWaitMs = 5_000;
/** So long a connection may take to end; whoever stops does not wait for one that is dead. */
const goodbyeMs = 1_000;

/**
 * Hints by LISTEN and NOTIFY, on one connection of its own that is opened when first used, and opened again when it
 * ends, or falls silent. `connect` makes a client that is not connected yet: `() => new pg.Client(…)`. It must reach
 * the server itself: a pooler in transaction mode passes no hints on. Throws `invalid_option`.
 */
export function postgresNotifier(connect: () => HintClient, options: PostgresNotifierOptions = {}): Notifier {
  const { channel = 'posthorn', heartbeatMs = 5_000 } = options;
  if (typeof connect !== 'function') {
    throw new PosthornError('invalid_option', `connect must be a function, not ${kindOf(connect)}`);
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
  #goodbye: NodeJS.Timeout | undefined;
  #waitMs = firstWaitMs;

  constructor(connect: () => HintClient, channel: string, heartbeatMs: number) {
    this.#connect = connect;
    this.#channel = channel;
    this.#heartbeatMs = heartbeatMs;
  }

  async notify(): Promise<void> {
    await this.#ask('select pg_notify($1, $2)', [this.#channel, '']);
    clearTimeout(this.#goodbye);
    if (this.#listeners.size > 0) return;
    // Whoever only notifies has nobody to stop it.
    this.#goodbye = setTimeout(() => void this.#close(), this.#heartbeatMs).unref();
  }

  async listen(onHint: () => void): Promise<() => Promise<void>> {
    clearTimeout(this.#goodbye);
    this.#connection ??= this.#open();
    this.#listeners.add(onHint);
    this.#heartbeat ??= setInterval(() => void this.#check(), this.#heartbeatMs).unref();
    // Where the server is away now, it is tried until it is there; the poll serves meanwhile.
    await this.#check();
    return async () => {
      this.#listeners.delete(onHint);
      if (this.#listeners.size === 0) await this.#close();
    };
  }

  /** The heartbeat: asks to listen, which does nothing where it is done already, and shows that somebody answers. */
  async #check(): Promise<void> {
    try {
      const connection = await this.#ask(`listen "${this.#channel}"`);
      if (connection.isListening) return;
      connection.isListening = true;
      // Whatever was said while nobody listened.
      this.#hint();
    } catch {
      // It was dropped, and is opened again.
    }
  }

  /** A statement with an end to its patience; a connection that does not answer it is dropped. */
  async #ask(text: string, values?: string[]): Promise<Connection> {
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      await withinTime(
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
      throw new PosthornError('invalid_option', 'connect must make a client of pg that is not connected', {
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
    clearTimeout(this.#goodbye);
    this.#heartbeat = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
    if (!connection) return;
    await withinTime(
      connection.opened.then(() => connection.client.end()),
      goodbyeMs,
      silent,
    ).catch(() => end(connection.client));
  }
}

const silent = (): never => {
  throw new Error('no answer in time');
};

/** Ends a connection that may be dead, and does not wait for it. */
function end(client: HintClient): void {
  client.end().catch(() => {});
  client.connection?.stream?.destroy?.();
}
