import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * The receiver, a process of its own: it writes down what it got, safely, before it answers. `receiver <file>`. Told
 * `{ status, delayMs, failShare, hangShare, maxBytes }` by its parent, it answers so from then on, or never; what comes to `/down` it always
 * refuses, and what is larger with 413.
 */

const file = openSync(process.argv[2]!, 'a');
let behaviour = { status: 200, delayMs: 0, failShare: 0, hangShare: 0, maxBytes: Number.POSITIVE_INFINITY };
let waiting: { line: string; done: () => void }[] = [];

/** What comes within one turn of the event loop is made safe together. */
function record(line: string): Promise<void> {
  return new Promise((done) => {
    waiting.push({ line, done });
    if (waiting.length > 1) return;
    setImmediate(() => {
      const batch = waiting;
      waiting = [];
      writeSync(file, batch.map((entry) => entry.line).join(''));
      fsyncSync(file);
      for (const entry of batch) entry.done();
    });
  });
}

const server = createServer(async (request, response) => {
  const startedAt = Date.now();
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return;
  }
  const { status, delayMs, failShare, hangShare, maxBytes } = behaviour;
  const body = Buffer.concat(chunks);
  const isTooLarge = body.length > maxBytes;
  const hangs = Math.random() < hangShare;
  const isRefused =
    hangs || isTooLarge || status !== 200 || request.url === '/down' || Math.random() < failShare;
  const sha = createHash('sha256').update(body).digest('hex').slice(0, 16);
  const content: unknown = JSON.parse(body.toString());
  const events = Array.isArray(content) ? content.map(({ event_id }) => event_id) : undefined;
  const id = request.headers['webhook-id'];
  const arrival = { id, path: request.url, at: startedAt, sha, ok: !isRefused, isTooLarge, events };
  await record(`${JSON.stringify(arrival)}\n`);
  if (hangs) return;
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const refusal = isTooLarge ? 413 : status === 200 ? 500 : status;
  response.writeHead(isRefused ? refusal : 200).end();
});

process.on('message', (message) => {
  behaviour = { ...behaviour, ...(message as object) };
  process.send?.({ ok: true });
});
process.on('disconnect', () => {
  closeSync(file);
  process.exit();
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
