import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request as received. */
export interface StandInRequest {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer that the stand-in gives in place of its own. */
export interface StandInAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An undocumented answer: it hangs up, never answers, or fails and quotes everything that it received. */
export type Trouble = 'hangup' | 'never' | 'echo';

/** The common part of every stand-in for a service over HTTP. */
export interface HttpStandIn {
  /** Every request, accepted or not, in order. */
  readonly requests: readonly StandInRequest[];
  /** Options with which a channel may post to the stand-in: plain HTTP, on 127.0.0.1. */
  readonly channelOptions: StandInChannelOptions;
  /**
   * Answers the next requests this way, whatever they are, and accepts nothing of them. Then the rules of the service
   * apply again. `times` defaults to 1; 0 cancels an earlier call. A later call replaces an earlier one.
   */
  answerNext(answer: StandInAnswer | Trouble, times?: number): void;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

const host = '127.0.0.1';

/** Options that lead a channel to its stand-in. */
export interface StandInChannelOptions {
  readonly hosts: readonly string[];
  readonly outbound: {
    readonly policy: { readonly allowHttp: boolean; readonly allowHosts: readonly string[] };
  };
}

/**
 * Starts a server on 127.0.0.1, on a free port, that answers with `answer`. The stand-ins for services are built on it.
 */
export async function httpStandIn(
  answer: (request: StandInRequest) => StandInAnswer | Trouble,
): Promise<HttpStandIn & { readonly origin: string }> {
  const requests: StandInRequest[] = [];
  let asked: { readonly answer: StandInAnswer | Trouble; left: number } | undefined;

  function next(request: StandInRequest): StandInAnswer | Trouble {
    if (!asked || asked.left <= 0) return answer(request);
    asked.left--;
    return asked.answer;
  }

  const server = createServer(async (incoming, response) => {
    // A request that breaks off is ignored.
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

/** Creates an answer in JSON. */
export const jsonAnswer = (status: number, body: unknown, headers = {}): StandInAnswer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  body: JSON.stringify(body),
});

/** Parses a request's body as JSON; undefined where it is not JSON, or its content type is another one. */
export function jsonBody({ headers, body }: StandInRequest): unknown {
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
