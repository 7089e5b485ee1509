import { type Exchange, exchangeOf, type Handler } from './exchange.js';
import { askedOf, type NodeAsked, type NodeRequest } from './node-request.js';
import { answer, type NodeResponse } from './node-response.js';
import { Refusal, refuse } from './refusal.js';

/** A handler as node:http, node:http2, Express, Connect, Koa and Nest mount it. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/**
 * Mounts a web-standard handler in node:http, node:http2, Express, Fastify, Koa or Nest. A body that was read already is
 * taken from `request.rawBody` or `request.body`; where it was parsed it is written as JSON again, and its spelling is
 * lost: mount the API before the parser to keep it. Never rejects: a handler that does is a 500, and a warning of the process.
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

/** A handler of the application's own, which may have the API in it. */
const byRequest = (handler: Handler) => async (asked: NodeAsked) => {
  const response = await handler(asked.request(asked.content()));
  return { status: response.status, headers: response.headers, content: response.body };
};

async function fail(error: unknown, incoming: NodeRequest, outgoing: NodeResponse): Promise<void> {
  if (!(error instanceof Refusal)) process.emitWarning(error instanceof Error ? error : String(error));
  // Half an answer must not look like a whole one.
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const { status, body } = error instanceof Refusal ? error : refuse(500, 'something failed on our side');
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  await answer({ status, headers, content: JSON.stringify(body) }, incoming, outgoing);
}
