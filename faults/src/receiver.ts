import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * The receiver process: `receiver <file>`. It records each request durably before it answers. The message `{ status,
 * delayMs, failShare, hangShare, maxBytes }` from its parent sets how it answers from then on, or that it does not
 * answer. It always refuses requests to `/down`, and bodies larger than `maxBytes` with 413.
 */

const file = openSync(process.argv[2]!, 'a');
let behaviour = { status: 200, delayMs: 0, failShare: 0, hangShare: 0, maxBytes: Number.POSITIVE_INFINITY };
let waiting: { line: string; done: () => void }[] = [];

/** Requests of one turn of the event loop are written and synced together. */
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
