import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

/* What a customer writes: verify, drop what came before, answer, and only then work. */

export interface ReceivedEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly metadata: unknown;
}

export interface ReceiverOptions {
  /** The webhook's, `whsec_…`. While it is rotated, requests bear signatures by both: either will do. */
  readonly secret: () => string;
  readonly work: (event: ReceivedEvent) => Promise<void>;
}

export function receiver({ secret, work }: ReceiverOptions): Server {
  // In production a table: `insert … on conflict do nothing`. What is answered with 2xx is not sent again, so what
  // fails here stays in it, for a job of yours to take up.
  const inbox = new Map<string, { readonly event: ReceivedEvent; isDone: boolean }>();

  return createServer(async (request, response) => {
    const body = await text(request).catch(() => ''); // the bytes that are signed, before anything parses them
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
