import type { Client, Dispatcher } from 'undici';
import { type Exchange, over } from './exchange.js';

/** Makes a client and hears when it is gone, its socket closed. */
export interface Clients {
  open(origin: string): Client;
  gone(client: Client): void;
}

/** A request that waits for a connection. */
interface Turn {
  readonly request: Dispatcher.DispatchOptions;
  readonly exchange: Exchange;
}

/**
 * The connections to one origin. undici's own Pool would do for requests that end well, but where one is aborted it
 * connects again at once, to a receiver that has just misbehaved; it holds on to requests that gave up waiting; and
 * it never lets go of a client. Here a client carries one request at a time, and ends with one that ends badly.
 */
export class Pool {
  /** Counts the uses of all pools; the smallest is the one longest unused. */
  usedAt = 0;
  readonly #idle: Client[] = [];
  readonly #waiting = new Set<Turn>();
  #size = 0;
  #retired = false;

  constructor(
    readonly origin: string,
    readonly connections: number,
    readonly clients: Clients,
    /** Called when the last connection has been closed. */
    readonly onEmpty: () => void,
  ) {}

  /** Sends it over the connection used last, a new one, or the first to be free. */
  send(request: Dispatcher.DispatchOptions, exchange: Exchange): void {
    const kept = this.#idle.pop();
    if (kept) {
      this.#take(kept, exchange);
      // undici looks at a kept connection until this turn of the event loop is over. With one turn more, all that
      // has arrived on it was read: an answer nobody asked for, or its end. It then connects anew.
      setImmediate(dispatch, kept, request, exchange);
    } else if (this.#size < this.connections) {
      const client = this.#open();
      this.#take(client, exchange);
      dispatch(client, request, exchange);
    } else {
      const turn = { request, exchange };
      this.#waiting.add(turn);
      exchange.onEnd = () => this.#waiting.delete(turn);
    }
  }

  /** Closes each connection as soon as it is free and nothing waits for it. */
  retire(): void {
    this.#retired = true;
    for (const client of this.#idle.splice(0)) this.#drop(client);
  }

  #open(): Client {
    const client = this.clients.open(this.origin);
    this.#size++;
    // The receiver closed it, or it was idle for too long. While it is busy, its exchange hears of that.
    client.on('disconnect', () => {
      const at = this.#idle.indexOf(client);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#drop(client);
    });
    return client;
  }

  #take(client: Client, exchange: Exchange): void {
    exchange.onEnd = (reusable) => {
      if (reusable && !(this.#retired && this.#waiting.size === 0)) this.#idle.push(client);
      else this.#drop(client);
      this.#sendNext();
    };
  }

  #drop(client: Client): void {
    this.#size--;
    client.destroy(over, () => this.clients.gone(client));
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

/** Where the exchange has ended since, the client is destroyed, and says so to an exchange that does not listen. */
function dispatch(client: Client, request: Dispatcher.DispatchOptions, exchange: Exchange): void {
  client.dispatch(request, exchange);
}
