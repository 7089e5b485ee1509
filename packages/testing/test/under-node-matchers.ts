import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { assertDelivered, assertDeliveredNothing, assertDeliveredTimes } from '@posthorn/testing/node';

/* Run by `node --test`. */

test('each assertion passes where it should, and names what was delivered where it should not', async () => {
  const partner = recordingChannel();
  const posthorn = testDispatcher({ channels: [partner] });
  await posthorn.webhooks.create({
    name: 'A',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: {} }],
  });
  assertDeliveredNothing(partner);
  assert.throws(() => assertDelivered(partner, 'a.b'), /expected a\.b to be delivered; delivered: nothing/);
  await posthorn.dispatch('a.b', { id: 1, lines: [{ sku: 'x', count: 2 }] });
  await posthorn.drain();
  assertDelivered(partner, 'a.b');
  assertDelivered(partner, 'a.b', { lines: [{ sku: 'x' }] });
  assertDeliveredTimes(partner, 'a.b', 1);
  for (const other of [
    { id: 2 },
    { lines: [] },
    { lines: [{ sku: 'y' }] },
    { lines: { 0: {} } },
    { more: 1 },
  ]) {
    assert.throws(() => assertDelivered(partner, 'a.b', other), {
      name: 'AssertionError',
      message: /sku: 'x'/,
    });
  }
  assert.throws(
    () => assertDeliveredTimes(partner, 'a.b', 2),
    /expected 2 of a\.b to be delivered; there were 1/,
  );
  assert.throws(() => assertDeliveredNothing(partner), /expected no delivery; delivered: a\.b/);
  assert.throws(() => assertDelivered({} as never, 'a.b'), /recordingChannel/);
});
