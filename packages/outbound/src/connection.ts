import type { Socket } from 'node:net';
import { HttpClient, type HttpClientOptions, type HttpRequest } from './client.js';
import type { Connect } from './connect.js';
import type { Connecting } from './connecting.js';
import { type Carrier, type Exchange, over } from './exchange.js';
import { inOwnContext } from './own-context.js';
import type { Trust } from './trust.js';

/** An origin and the trust to use there. Requests share a connection only if both are equal. */
export interface Destination {
  readonly key: string;
  readonly origin: string;
  /** Default: the client's trust. */
  readonly trust?: Trust | undefined;
}

export interface ConnectionOptions extends Omit<HttpClientOptions, 'connect'> {
  readonly connect: Connect;
  /** Cap on all bytes of one response, framing included. A longer response closes the connection. */
  readonly maxAnswerBytes: number;
}

/**
 * A connection to an origin: an undici client and its socket. undici learns of a socket only when it is connected. This
 * class holds the socket from its creation, so that it can be closed before, and counts every byte that arrives on it.
 */
export class Connection implements Carrier {
  readonly #client: HttpClient;
  readonly #maxAnswerBytes: number;
  #connecting: Connecting | undefined;
  #socket: Socket | undefined;
  #openedAt = 0;
  #exchange: Exchange | undefined;
  /** Bytes that had arrived on the socket before the exchange began. */
  #bytesBefore = 0;
  /** Whether the exchange reuses a kept connection. */
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
          // Added after undici's own listener: counted bytes are already parsed.
          socket?.on('readable', () => this.#count());
        };
        this.#connecting = connect(target, onConnect, trust?.context);
      },
    });
  }

  /** Calls `listener` when either side has closed the socket. */
  onDisconnect(listener: () => void): void {
    this.#client.on('disconnect', listener);
  }

  /** Reserves the connection for this exchange. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#bytesBefore = this.#socket?.bytesRead ?? 0;
    this.#wasKept = this.#socket !== undefined;
    exchange.connection = this;
  }

  /**
   * Sends the request. If the exchange has ended since `begin`, the client is destroyed and the exchange ignores its
   * error.
   */
  send(request: HttpRequest, exchange: Exchange): void {
    inOwnContext(request.headers, () => this.#client.dispatch(request, exchange));
  }

  /** Frees the connection after its exchange has ended. */
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

  /** Closes the connection, connected or not. Calls `onClosed` when the socket is closed. */
  close(onClosed: () => void): void {
    this.#client.destroy(over, () => {});
    const socket = this.#socket;
    if (socket && !socket.closed) {
      socket.once('close', onClosed);
      socket.destroy(over);
    } else if (this.#connecting) this.#connecting.close(over, onClosed);
    else onClosed();
  }

  /**
   * Enforces `maxAnswerBytes`. undici limits header fields and bodies, but not the bytes between them, e.g. empty
   * lines.
   */
  #count(): void {
    const socket = this.#socket!;
    if (socket.bytesRead - this.#bytesBefore <= this.#maxAnswerBytes) return;
    this.#exchange?.cut();
    socket.destroy();
  }
}
