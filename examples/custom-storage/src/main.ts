import { createDispatcher } from '@posthorn/core';
import { kvStorage } from '@posthorn/storage-kv';
import { recordingChannel } from '@posthorn/testing';
import { fileKv } from './file-kv.js';

/* What it dispatches is in the file, and in the next run as well: `main.ts [file]`. */

const [, , path = 'posthorn.jsonl'] = process.argv;
const storage = kvStorage(fileKv(path));
const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
if ((await dispatcher.webhooks.list()).items.length === 0) {
  const channels = [{ channel: 'webhook', configs: {} }];
  await dispatcher.webhooks.create({ name: 'all', eventTypes: ['*'], channels });
}
await dispatcher.dispatch('object.created', { objectId: 'o1' });
await dispatcher.drain();

for (const { id, eventType, status, attempts } of (await dispatcher.deliveries.list()).items) {
  console.log(`${id}  ${eventType}  ${status} after ${attempts} attempt`);
}
await storage.close();
