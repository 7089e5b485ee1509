import type { Socket } from 'node:net';
import { type buildConnector, Client, type Dispatcher } from 'undici';
import { InterimResponses } from './interim-responses.js';

/** A request as undici takes it, with names and values of headers in turn. */
export interface HttpRequest extends Dispatcher.DispatchOptions {
  readonly headers: string[];
}

export interface HttpClientOptions extends Omit<Client.Options, 'connect'> {
  readonly connect: (...connecting: Parameters<buildConnector.connector>) => void;
  /** The first request on a connection that is older is its last one, and says so. Default: none. */
  readonly maxAgeMs?: number;
}

/** undici's client for one request at a time, which passes over an unasked 100 as it does over every other 1xx. */
export class HttpClient extends Client {
  readonly #interim: InterimResponses;
  readonly #maxAgeMs: number;
  #openedAt = Number.POSITIVE_INFINITY;

  constructor(
    origin: string | URL,
    { connect, maxAgeMs = Number.POSITIVE_INFINITY, ...options }: HttpClientOptions,
  ) {
    const interim = new InterimResponses();
    super(origin, {
      ...options,
      connect: (target, callback) => {
        const onConnect: typeof callback = (...connected) => {
          const [, socket] = connected;
          if (socket) listen(socket, interim);
          this.#openedAt = performance.now();
          callback(...connected);
        };
        connect(target, onConnect);
      },
    });
    this.#interim = interim;
    this.#maxAgeMs = maxAgeMs;
  }

  /** Whether anything came since the last request. */
  get hasHeard(): boolean {
    return this.#interim.hasBegun;
  }

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#interim.begin();
    const isOld = performance.now() - this.#openedAt >= this.#maxAgeMs;
    return super.dispatch(isOld ? { ...request, reset: true } : request, handler);
  }
}

/** undici reads its sockets by `read` alone. */
function listen(socket: Socket, interim: InterimResponses): void {
  const read = socket.read.bind(socket);
  socket.read = (size) => {
    const chunk: Buffer | null = read(size);
    if (chunk) interim.pass(chunk);
    return chunk;
  };
}
