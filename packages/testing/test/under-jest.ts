import '@posthorn/testing/jest';
import { expect, test } from '@jest/globals';
import { recordingChannel, testDispatcher } from '@posthorn/testing';

/* Run by Jest, as one bundle. */

test('each matcher passes where it should, and names what was delivered where it should not', async () => {
  const partner = recordingChannel();
  const posthorn = testDispatcher({ channels: [partner] });
  await posthorn.webhooks.create({
    name: 'A',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: {} }],
  });
  expect(partner).toHaveDeliveredNothing();
  expect(partner).not.toHaveDelivered('a.b');
  expect(() => expect(partner).toHaveDelivered('a.b')).toThrow(
    'expected a.b to be delivered; delivered: nothing',
  );
  await posthorn.dispatch('a.b', { id: 1, lines: [{ sku: 'x' }] });
  await posthorn.drain();
  expect(partner).toHaveDelivered('a.b', { id: expect.any(Number) });
  expect(partner).not.toHaveDelivered('a.b', { id: 2 });
  expect(partner).toHaveDeliveredTimes('a.b', 1);
  expect(() => expect(partner).toHaveDelivered('a.b', { id: 2 })).toThrow('"sku": "x"');
  expect(() => expect(partner).toHaveDeliveredTimes('a.b', 2)).toThrow('expected 2 of a.b to be delivered');
  expect(() => expect(partner).toHaveDeliveredNothing()).toThrow('expected no delivery; delivered: a.b');
});
