import type { Handler } from './api.js';
import { isDirect, knowBody } from './known-body.js';
import { type NodeRequest, webRequest } from './node-request.js';
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
  return async (incoming, outgoing) => {
    let request: Request | undefined;
    try {
      request = await webRequest(incoming, isDirect(handler));
      await answer(await handler(request), incoming, outgoing);
    } catch (error) {
      // A client that went away amid its body is no news, and nobody is left to be answered.
      if (!request && !(error instanceof Refusal)) outgoing.destroy();
      else await fail(error, incoming, outgoing);
    }
  };
}

async function fail(error: unknown, incoming: NodeRequest, outgoing: NodeResponse): Promise<void> {
  if (!(error instanceof Refusal)) process.emitWarning(error instanceof Error ? error : String(error));
  // Half an answer must not look like a whole one.
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const { status, body } = error instanceof Refusal ? error : refuse(500, 'something failed on our side');
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  const text = JSON.stringify(body);
  await answer(knowBody(new Response(text, { status, headers }), text), incoming, outgoing);
}
