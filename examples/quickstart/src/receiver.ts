import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

/*
 * A customer's server, in a process of its own. It verifies each request with the npm package `standardwebhooks` and
 * remembers what it got. It refuses one in ten events at first, so that the sender has something to retry.
 */

export interface Seen {
  /** The ids of the verified events, by path. */
  readonly verified: Readonly<Record<string, readonly string[]>>;
  /** Requests with an invalid signature. */
  readonly unverified: number;
  /** Requests that were refused on purpose. */
  readonly refused: number;
}

const secrets = new Map<string, string>();
const verified = new Map<string, Set<string>>();
const refusedOnce = new Set<string>();
let unverified = 0;

const server = createServer(async (request, response) => {
  const path = request.url ?? '/';
  const body = await text(request);
  try {
    new Webhook(secrets.get(path) ?? '').verify(body, request.headers as Record<string, string>);
  } catch {
    unverified++;
    response.writeHead(401).end();
    return;
  }
  const id = String(request.headers['webhook-id']);
  const firstTry = `${path} ${id}`;
  if (id.charCodeAt(id.length - 1) % 10 === 0 && !refusedOnce.has(firstTry)) {
    refusedOnce.add(firstTry);
    response.writeHead(500).end('try again');
    return;
  }
  verified.set(path, (verified.get(path) ?? new Set()).add(id));
  response.writeHead(204).end();
});

process.on('message', (message: { secrets?: Record<string, string>; report?: true }) => {
  for (const [path, secret] of Object.entries(message.secrets ?? {})) secrets.set(path, secret);
  if (message.report) {
    const paths = [...verified].map(([path, ids]) => [path, [...ids]]);
    process.send?.({
      verified: Object.fromEntries(paths),
      unverified,
      refused: refusedOnce.size,
    } satisfies Seen);
  }
});
process.on('disconnect', () => process.exit());

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
