import type { Socket } from 'node:net';
import { type buildConnector, Client, type Dispatcher } from 'undici';
import { InterimResponses } from './interim-responses.js';

/** A request for undici. `headers` alternates names and values. */
export interface HttpRequest extends Dispatcher.DispatchOptions {
  readonly headers: string[];
}

export interface HttpClientOptions extends Omit<Client.Options, 'connect'> {
  readonly connect: (...connecting: Parameters<buildConnector.connector>) => void;
  /** A request on a connection older than this is its last one, and sends `connection: close`. Default: no limit. */
  readonly maxAgeMs?: number;
}

/** An undici client for one request at a time that ignores an unsolicited 100, as undici ignores every other 1xx. */
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

  /** Whether any byte arrived since the last request began. */
  get hasHeard(): boolean {
    return this.#interim.hasBegun;
  }

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#interim.begin();
    const isOld = performance.now() - this.#openedAt >= this.#maxAgeMs;
    return super.dispatch(isOld ? { ...request, reset: true } : request, handler);
  }
}

/** Intercepts `read`, the only method by which undici reads a socket. */
function listen(socket: Socket, interim: InterimResponses): void {
  const read = socket.read.bind(socket);
  socket.read = (size) => {
    const chunk: Buffer | null = read(size);
    if (chunk) interim.pass(chunk);
    return chunk;
  };
}
