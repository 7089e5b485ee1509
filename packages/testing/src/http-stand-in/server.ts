import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request as it came. */
export interface StandInRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface StandInAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer no service documents: it hangs up, never answers, or fails and quotes all that it received. */
export type Trouble = 'hangup' | 'never' | 'echo';

/** What every stand-in for a service over HTTP has. */
export interface HttpStandIn {
  /** Every request that came, taken or not, in order. */
  readonly requests: readonly StandInRequest[];
  /** Options with which a channel may post to it: plain HTTP, on 127.0.0.1. */
  readonly channelOptions: StandInChannelOptions;
  /**
   * Answers the next requests so, whatever they are, and takes nothing of them; then the service's rules hold again.
   * Default: one request; 0 ends an answer that was asked for before. A later call takes the place of an earlier one.
   */
  answerNext(answer: StandInAnswer | Trouble, times?: number): void;
  /** Ends every connection, and listens no more. */
  close(): Promise<void>;
}

const host = '127.0.0.1';

export interface StandInChannelOptions {
  readonly hosts: readonly string[];
  readonly outbound: {
    readonly policy: { readonly allowHttp: boolean; readonly allowHosts: readonly string[] };
  };
}

/** A server on 127.0.0.1, on a port of its own, that answers as `answer` says: what the stand-ins for services are made of. */
export async function httpStandIn(
  answer: (request: StandInRequest) => StandInAnswer,
): Promise<HttpStandIn & { readonly origin: string }> {
  const requests: StandInRequest[] = [];
  let asked: { readonly answer: StandInAnswer | Trouble; left: number } | undefined;

  function next(request: StandInRequest): StandInAnswer | Trouble {
    if (!asked || asked.left <= 0) return answer(request);
    asked.left--;
    return asked.answer;
  }

  const server = createServer(async (incoming, response) => {
    // Of a request that breaks off nobody is to hear.
    const bytes = await buffer(incoming).catch(() => undefined);
    if (!bytes) return;
    const { method = '', url = '', headers } = incoming;
    const request = { method, path: url, headers, body: bytes.toString() };
    requests.push(request);
    write(response, next(request), request);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    origin: `http://${host}:${(server.address() as AddressInfo).port}`,
    channelOptions: { hosts: [host], outbound: { policy: { allowHttp: true, allowHosts: [host] } } },
    requests,
    answerNext(answer, times = 1) {
      asked = { answer, left: times };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function write(response: ServerResponse, answer: StandInAnswer | Trouble, request: StandInRequest): void {
  if (answer === 'never') return;
  if (answer === 'hangup') response.destroy();
  else if (answer === 'echo') response.writeHead(500).end(JSON.stringify(request));
  else response.writeHead(answer.status, answer.headers).end(answer.body);
}

/** An answer in JSON. */
export const jsonAnswer = (status: number, body: unknown, headers = {}): StandInAnswer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  body: JSON.stringify(body),
});

/** What a request's body says in JSON; undefined where it is none, or is not said to be any. */
export function jsonBody({ headers, body }: StandInRequest): unknown {
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
