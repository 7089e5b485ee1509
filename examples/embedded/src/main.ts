import { PGlite } from '@electric-sql/pglite';
import { createDispatcher } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import { recordingChannel } from '@posthorn/testing';

/* Postgres in a folder, inside this process, without an installation. A second run finds the data of the first. */

const [, , folder = './posthorn-data'] = process.argv;
const db = await PGlite.create(folder);
const storage = postgresStorage(db);
await storage.migrate();

// A channel that only records, so that the example needs no receiver.
const channel = recordingChannel();
const dispatcher = createDispatcher({ storage, channels: [channel] });
if ((await dispatcher.webhooks.list()).items.length === 0) {
  await dispatcher.webhooks.create({
    name: 'Orders',
    eventTypes: ['order.*'],
    channels: [{ channel: channel.type, configs: {} }],
  });
}

await dispatcher.dispatch('order.placed', { orderId: 'o1' });
await dispatcher.drain();
const { items } = await dispatcher.deliveries.list();
console.log(`delivered now: ${channel.deliveries.length}; in the folder: ${items.length} deliveries`);
await db.close();
