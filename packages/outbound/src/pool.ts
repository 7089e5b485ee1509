import type { HttpRequest } from './client.js';
import type { Connection, Destination } from './connection.js';
import type { Exchange } from './exchange.js';

/** Opens and closes connections. */
export interface Connections {
  open(destination: Destination): Connection;
  close(connection: Connection): void;
}

export interface PoolOptions {
  /** Cap on simultaneous connections. */
  readonly connections: number;
  /** No request begins on an older connection: its receiver may have moved. */
  readonly maxConnectionAgeMs: number;
}

/** A request that waits for a connection. */
interface Turn {
  readonly request: HttpRequest;
  readonly exchange: Exchange;
}

/**
 * The connections to one destination. A connection carries one request at a time and is closed if the request fails.
 * Reasons not to use undici's Pool:
 * - After an abort it reconnects immediately, to a receiver that has just misbehaved.
 * - It keeps requests that have given up waiting.
 * - It never releases a client.
 */
export class Pool {
  /** The count of uses of all pools at the last use of this one. The smallest marks the least recently used pool. */
  usedAt = 0;
  readonly #idle: Connection[] = [];
  readonly #waiting = new Set<Turn>();
  #size = 0;
  #retired = false;

  constructor(
    readonly destination: Destination,
    readonly options: PoolOptions,
    readonly connections: Connections,
    /** Called when the last connection is closed and no request waits. */
    readonly onEmpty: () => void,
  ) {}

  /** Sends a request over the most recently used idle connection, else a new one, else the first to become free. */
  send(request: HttpRequest, exchange: Exchange): void {
    const kept = this.#idle.pop();
    if (kept?.isOlderThan(this.options.maxConnectionAgeMs)) {
      this.#sendInstead(kept, request, exchange);
    } else if (kept) {
      this.#take(kept, request, exchange);
      // undici checks a kept connection in this turn of the event loop. After one more turn everything that has
      // arrived on it is read, e.g. an unsolicited response or its end, and undici reconnects if necessary.
      setImmediate(send, kept, request, exchange);
    } else if (this.#size < this.options.connections) {
      this.#sendAnew(request, exchange);
    } else {
      const turn = { request, exchange };
      this.#waiting.add(turn);
      exchange.waited = true;
      exchange.onEnd = () => this.#waiting.delete(turn);
    }
  }

  /** Closes each connection as soon as it is free and no request waits. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#idle.splice(0)) this.#drop(connection);
  }

  #open(): Connection {
    const connection = this.connections.open(this.destination);
    this.#size++;
    // The receiver closed the connection, or it was idle for too long. If it is in use, its exchange gets the error.
    connection.onDisconnect(() => {
      const at = this.#idle.indexOf(connection);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#drop(connection);
    });
    return connection;
  }

  #sendAnew(request: HttpRequest, exchange: Exchange): void {
    const connection = this.#open();
    this.#take(connection, request, exchange);
    connection.send(request, exchange);
  }

  /** Replaces a connection. Opens the new one first, because a pool without connections is deleted. */
  #sendInstead(old: Connection, request: HttpRequest, exchange: Exchange): void {
    this.#sendAnew(request, exchange);
    this.#drop(old);
  }

  #take(connection: Connection, request: HttpRequest, exchange: Exchange): void {
    connection.begin(exchange);
    exchange.onStale = () => {
      connection.end();
      this.#sendInstead(connection, request, exchange);
    };
    exchange.onEnd = (reusable) => {
      connection.end();
      if (reusable && !(this.#retired && this.#waiting.size === 0)) this.#idle.push(connection);
      else this.#drop(connection);
      this.#sendNext();
    };
  }

  #drop(connection: Connection): void {
    this.#size--;
    this.connections.close(connection);
    if (this.#size === 0 && this.#waiting.size === 0) this.onEmpty();
  }

  #sendNext(): void {
    for (const turn of this.#waiting) {
      this.#waiting.delete(turn);
      this.send(turn.request, turn.exchange);
      return;
    }
  }
}

function send(connection: Connection, request: HttpRequest, exchange: Exchange): void {
  connection.send(request, exchange);
}
