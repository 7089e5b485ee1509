import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

/* A customer's receiver: it verifies, skips duplicates, answers, and only then does the work. */

export interface ReceivedEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly metadata: unknown;
}

export interface ReceiverOptions {
  /** The webhook's secret, `whsec_…`. During a rotation, requests have a signature by each secret; either one works. */
  readonly secret: () => string;
  readonly work: (event: ReceivedEvent) => Promise<void>;
}

export function receiver({ secret, work }: ReceiverOptions): Server {
  // In production, use a table: `insert … on conflict do nothing`. An event that was answered with 2xx is not sent
  // again, so an event whose work failed stays in the inbox for a job of your own.
  const inbox = new Map<string, { readonly event: ReceivedEvent; isDone: boolean }>();

  return createServer(async (request, response) => {
    const body = await text(request).catch(() => ''); // the signed bytes, not parsed
    const id = String(request.headers['webhook-id']);
    let event: ReceivedEvent;
    try {
      event = new Webhook(secret()).verify(body, request.headers as Record<string, string>) as ReceivedEvent;
    } catch {
      response.writeHead(401).end();
      return;
    }
    const isKnown = inbox.has(id);
    const entry = { event, isDone: false };
    if (!isKnown) inbox.set(id, entry);
    response.writeHead(202).end();
    if (isKnown) return;
    try {
      await work(event);
      entry.isDone = true;
    } catch (error) {
      console.error(`${id} stays in the inbox:`, error);
    }
  });
}
