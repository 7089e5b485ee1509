import type { Socket } from 'node:net';
import { HttpClient, type HttpClientOptions, type HttpRequest } from './client.js';
import type { Connect } from './connect.js';
import type { Connecting } from './connecting.js';
import { type Carrier, type Exchange, over } from './exchange.js';
import { inOwnContext } from './own-context.js';
import type { Trust } from './trust.js';

/** Where a connection leads and whom it trusts there; what differs in either shares none. */
export interface Destination {
  readonly key: string;
  readonly origin: string;
  /** Default: the client's. */
  readonly trust?: Trust | undefined;
}

export interface ConnectionOptions extends Omit<HttpClientOptions, 'connect'> {
  readonly connect: Connect;
  /** Of one answer, whatever it consists of. More is read to no end, and closes the connection. */
  readonly maxAnswerBytes: number;
}

/**
 * A connection to an origin: an undici client and its socket. undici knows a socket only from when it is connected;
 * here it is held from its first moment, so that it can be closed before, and all that comes over it is counted.
 */
export class Connection implements Carrier {
  readonly #client: HttpClient;
  readonly #maxAnswerBytes: number;
  #connecting: Connecting | undefined;
  #socket: Socket | undefined;
  #openedAt = 0;
  #exchange: Exchange | undefined;
  /** What had come before the exchange began. */
  #bytesBefore = 0;
  /** Whether the exchange found a connection that had been kept. */
  #wasKept = false;

  constructor({ origin, trust }: Destination, { connect, maxAnswerBytes, ...options }: ConnectionOptions) {
    this.#maxAnswerBytes = maxAnswerBytes;
    this.#client = new HttpClient(origin, {
      ...options,
      connect: (target, callback) => {
        this.#bytesBefore = 0;
        this.#wasKept = false;
        this.#socket = undefined;
        const onConnect: typeof callback = (...connected) => {
          const [, socket] = connected;
          if (socket) this.#socket = socket;
          this.#openedAt = performance.now();
          callback(...connected);
          // Behind undici's own listener: what is counted has been parsed.
          socket?.on('readable', () => this.#count());
        };
        this.#connecting = connect(target, onConnect, trust?.context);
      },
    });
  }

  /** Hears when its socket was closed, by either side. */
  onDisconnect(listener: () => void): void {
    this.#client.on('disconnect', listener);
  }

  /** From here on it is there for this exchange alone. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#bytesBefore = this.#socket?.bytesRead ?? 0;
    this.#wasKept = this.#socket !== undefined;
    exchange.connection = this;
  }

  /** Where the exchange has ended since, the client is destroyed, and says so to an exchange that does not listen. */
  send(request: HttpRequest, exchange: Exchange): void {
    inOwnContext(request.headers, () => this.#client.dispatch(request, exchange));
  }

  /** The exchange is over, and the connection free. */
  end(): void {
    this.#exchange = undefined;
  }

  isOlderThan(ageMs: number): boolean {
    return performance.now() - this.#openedAt >= ageMs;
  }

  isBroken(): boolean {
    return Boolean(this.#socket?.errored);
  }

  isStale(): boolean {
    return this.#wasKept && !this.#client.hasHeard;
  }

  /** Closes it, connected or not. `onClosed` is called when its socket is closed. */
  close(onClosed: () => void): void {
    this.#client.destroy(over, () => {});
    const socket = this.#socket;
    if (socket && !socket.closed) {
      socket.once('close', onClosed);
      socket.destroy(over);
    } else if (this.#connecting) this.#connecting.close(over, onClosed);
    else onClosed();
  }

  /** undici's limits count fields and bodies, not what stands between them: endless empty lines, for instance. */
  #count(): void {
    const socket = this.#socket!;
    if (socket.bytesRead - this.#bytesBefore <= this.#maxAnswerBytes) return;
    this.#exchange?.cut();
    socket.destroy();
  }
}
