import { type Exchange, exchangeOf, type Handler } from './exchange.js';
import { askedOf, type NodeAsked, type NodeRequest } from './node-request.js';
import { answer, type NodeResponse } from './node-response.js';
import { Refusal, refuse } from './refusal.js';

/** A handler that node:http, node:http2, Express, Connect, Koa and Nest can mount. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/**
 * Mounts a web-standard handler in node:http, node:http2, Express, Fastify, Koa or Nest. A body that was already read
 * is taken from `request.rawBody` or `request.body`. A parsed body is written as JSON again and loses its original
 * spelling: mount the API before the parser to keep it. Never rejects: if the handler rejects, the answer is a 500 and
 * the process emits a warning.
 */
export function toNode(handler: Handler): NodeHandler {
  const exchange: (asked: NodeAsked) => ReturnType<Exchange> = exchangeOf(handler) ?? byRequest(handler);
  return async (incoming, outgoing) => {
    try {
      await answer(await exchange(await askedOf(incoming)), incoming, outgoing);
    } catch (error) {
      await fail(error, incoming, outgoing);
    }
  };
}

/** Any other handler of the application, which may wrap the API. */
const byRequest = (handler: Handler) => async (asked: NodeAsked) => {
  const response = await handler(asked.request(asked.content()));
  return { status: response.status, headers: response.headers, content: response.body };
};

async function fail(error: unknown, incoming: NodeRequest, outgoing: NodeResponse): Promise<void> {
  if (!(error instanceof Refusal)) process.emitWarning(error instanceof Error ? error : String(error));
  // A partial answer must not look complete.
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const { status, body } = error instanceof Refusal ? error : refuse(500, 'internal error');
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  await answer({ status, headers, content: JSON.stringify(body) }, incoming, outgoing);
}
