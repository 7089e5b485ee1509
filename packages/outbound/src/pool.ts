import type { HttpRequest } from './client.js';
import type { Connection, Destination } from './connection.js';
import type { Exchange } from './exchange.js';

/** Makes connections, and ends them. */
export interface Connections {
  open(destination: Destination): Connection;
  close(connection: Connection): void;
}

export interface PoolOptions {
  /** At once. */
  readonly connections: number;
  /** No request begins on an older one: its receiver may have moved. */
  readonly maxConnectionAgeMs: number;
}

/** A request that waits for a connection. */
interface Turn {
  readonly request: HttpRequest;
  readonly exchange: Exchange;
}

/**
 * The connections to one destination. undici's own Pool would do for requests that end well, but where one is aborted it
 * connects again at once, to a receiver that has just misbehaved; it holds on to requests that gave up waiting; and
 * it never lets go of a client. Here a connection carries one request at a time, and ends with one that ends badly.
 */
export class Pool {
  /** Counts the uses of all pools; the smallest is the one longest unused. */
  usedAt = 0;
  readonly #idle: Connection[] = [];
  readonly #waiting = new Set<Turn>();
  #size = 0;
  #retired = false;

  constructor(
    readonly destination: Destination,
    readonly options: PoolOptions,
    readonly connections: Connections,
    /** Called when the last connection has been closed. */
    readonly onEmpty: () => void,
  ) {}

  /** Sends it over the connection used last, a new one, or the first to be free. */
  send(request: HttpRequest, exchange: Exchange): void {
    const kept = this.#idle.pop();
    if (kept?.isOlderThan(this.options.maxConnectionAgeMs)) {
      this.#sendInstead(kept, request, exchange);
    } else if (kept) {
      this.#take(kept, request, exchange);
      // undici looks at a kept connection until this turn of the event loop is over. With one turn more, all that
      // has arrived on it was read: an answer nobody asked for, or its end. It then connects anew.
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

  /** Closes each connection as soon as it is free and nothing waits for it. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#idle.splice(0)) this.#drop(connection);
  }

  #open(): Connection {
    const connection = this.connections.open(this.destination);
    this.#size++;
    // The receiver closed it, or it was idle for too long. While it is busy, its exchange hears of that.
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

  /** Opens the new one first: a pool without any is forgotten. */
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
