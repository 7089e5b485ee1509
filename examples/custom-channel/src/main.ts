import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { fileChannel } from './file-channel.js';

const folder = await mkdtemp(join(tmpdir(), 'posthorn-'));
const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [fileChannel(folder)] });

await dispatcher.webhooks.create({
  name: 'audit log',
  eventTypes: ['order.*'],
  channels: [{ channel: 'file', configs: { file: 'orders' } }],
});
await dispatcher.dispatch('order.placed', { orderId: 'o1', total: 42 });
await dispatcher.dispatch('order.shipped', { orderId: 'o1' });
await dispatcher.drain();

console.log(await readFile(join(folder, 'orders.ndjson'), 'utf8'));
await rm(folder, { recursive: true });
