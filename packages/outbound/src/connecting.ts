import type { Socket } from 'node:net';
import { type buildConnector, errors } from 'undici';

/**
 * A connection that is being opened: a look-up, one or more sockets, a handshake. It ends once, with a socket or an
 * error, by its timeout at the latest. The socket it ends with belongs to the caller; all other sockets are closed.
 */
export class Connecting {
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;
  #callback: buildConnector.Callback | undefined;
  #onClosed: (() => void) | undefined;

  constructor(timeoutMs: number, callback: buildConnector.Callback) {
    this.#callback = callback;
    this.#timer = setTimeout(() => this.fail(new errors.ConnectTimeoutError()), timeoutMs);
  }

  get isOver(): boolean {
    return this.#callback === undefined;
  }

  /** Takes ownership of a socket: destroys it when this connection fails, or immediately if it is over. */
  hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onClosed?.();
    });
    if (this.isOver) socket.destroy();
  }

  succeed(socket: Socket): void {
    this.#end()?.(null, socket);
  }

  fail(error: Error): void {
    const callback = this.#end();
    if (!callback) return;
    for (const socket of this.#sockets) socket.destroy();
    callback(error, null);
  }

  /** Fails with `error`. Calls `onClosed` when all sockets are closed. */
  close(error: Error, onClosed: () => void): void {
    this.fail(error);
    if (this.#sockets.size === 0) onClosed();
    else this.#onClosed = onClosed;
  }

  #end(): buildConnector.Callback | undefined {
    const callback = this.#callback;
    this.#callback = undefined;
    clearTimeout(this.#timer);
    return callback;
  }
}
