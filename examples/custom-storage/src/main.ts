import { createDispatcher } from '@posthorn/core';
import { recordingChannel } from '@posthorn/testing';
import { mapStorage } from './map-storage.js';

const channel = recordingChannel();
const dispatcher = createDispatcher({ storage: mapStorage(), channels: [channel] });
await dispatcher.webhooks.create({
  name: 'all',
  eventTypes: ['*'],
  channels: [{ channel: 'webhook', configs: {} }],
});
await dispatcher.dispatch('object.created', { objectId: 'o1' });
await dispatcher.drain();

for (const { id, eventType, status, attempts } of (await dispatcher.deliveries.list()).items) {
  console.log(`${id}  ${eventType}  ${status} after ${attempts} attempt`);
}
