import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ReceivedEvent, receiver } from './receiver.js';

/** A customer, for the tests of the example servers: its receiver on this machine, and its calls of your API. */
export async function customer() {
  const received: ReceivedEvent[] = [];
  let secret = 'whsec_bm90aGluZyBpcyBzaWduZWQgd2l0aCB0aGlz';
  const work = async (event: ReceivedEvent) => void received.push(event);
  const server = receiver({ secret: () => secret, work }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    received,

    /** Creates a webhook over the API and reads its secret. */
    async subscribe(base: string, key: string, eventTypes: readonly string[]): Promise<string> {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;
      const channels = [{ channel: 'webhook', configs: { url } }];
      const body = JSON.stringify({ webhook_name: 'Mine', event_types: eventTypes, channels });
      const created = await fetch(`${base}/webhooks`, { method: 'POST', headers, body });
      if (created.status !== 201) throw new Error(await created.text());
      const { webhook_id: id } = (await created.json()) as { webhook_id: string };
      const revealed = await fetch(`${base}/webhooks/${id}/secret`, { headers });
      ({ secret } = (await revealed.json()) as { secret: string });
      return id;
    },

    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}
