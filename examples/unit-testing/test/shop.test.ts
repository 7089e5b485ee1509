import '@posthorn/testing/vitest';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { beforeEach, expect, test } from 'vitest';
import { events, shop } from '../src/shop.js';

/* The tests of the application: with the real engine, without a network, without waiting. */

const partner = recordingChannel('webhook');
const dispatcher = testDispatcher({ channels: [partner], events });
const { addPartner, placeOrder, cancelOrder } = shop(dispatcher);

beforeEach(async () => {
  partner.reset();
  for (const { id } of (await dispatcher.webhooks.list()).items) await dispatcher.webhooks.delete(id);
  await addPartner('Acme', 'https://acme.example/hooks');
});

test('partners are notified of every order', async () => {
  await placeOrder('o1', 42);
  await dispatcher.drain();
  expect(partner).toHaveDelivered('order.placed', { orderId: 'o1', total: 42 });
});

test('an order that a customer submits twice is sent once', async () => {
  await placeOrder('o2', 10);
  await placeOrder('o2', 10);
  await dispatcher.drain();
  expect(partner).toHaveDeliveredTimes('order.placed', 1);
});

test('a partner that is down is notified when it is up again', async () => {
  partner.failNext(3);
  await cancelOrder('o3', 'out of stock');
  await dispatcher.drain();
  expect(partner).toHaveDeliveredNothing();
  await dispatcher.advance('10m');
  expect(partner).toHaveDelivered('order.cancelled', { orderId: 'o3' });
});
