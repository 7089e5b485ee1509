import { httpChannel } from '@posthorn/channel-http';
import { type ReceiverOptions, receiver, testDispatcher, until, virtualClock } from '@posthorn/testing';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

async function send(
  inbox: { url: string; secret: string },
  at: number,
  changes: Record<string, string> = {},
) {
  const body = JSON.stringify({ event_type: 'a.b' });
  const time = new Date(at);
  const signature = new Webhook(inbox.secret).sign('msg_1', time, body);
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': `${Math.floor(at / 1000)}`,
    'webhook-signature': signature,
    ...changes,
  };
  return (await fetch(inbox.url, { method: 'POST', body, headers })).status;
}

/** A shop with one webhook, which leads to a receiver. */
async function shop(options: ReceiverOptions = {}) {
  const clock = virtualClock(new Date());
  const inbox = await receiver({ now: clock.now, ...options });
  const channels = [httpChannel(inbox.channelOptions)];
  const posthorn = testDispatcher({ channels, start: new Date(clock.now()) });
  await posthorn.webhooks.create({
    name: 'Acme',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: { url: inbox.url, timeout: 1 } }],
    secret: inbox.secret,
  });
  return { inbox, posthorn };
}

test('a receiver verifies what the HTTP channel sends, and next resolves to it', async () => {
  const { inbox, posthorn } = await shop({ tolerance: '1h' });
  await posthorn.dispatch('order.placed', { id: 1 });
  await posthorn.dispatch('order.paid', { id: 2 });
  await posthorn.drain();
  const paid = await inbox.next({ type: 'order.paid' });
  expect(paid).toMatchObject({ json: { metadata: { id: 2 } }, verified: true, attempt: 1, answer: 204 });
  expect((await inbox.next()).type).toBe('order.placed');
  await inbox.close();
});

test('next waits for a request that arrives later', async () => {
  await using inbox = await receiver();
  const next = inbox.next({ type: 'a.b' });
  await send(inbox, Date.now());
  expect((await next).type).toBe('a.b');
});

test('next rejects in time, and names what was received', async () => {
  await using inbox = await receiver();
  await send(inbox, Date.now());
  await expect(inbox.next({ type: 'x.y', within: '10ms' })).rejects.toThrow(
    'no x.y within 10ms; received: a.b (204)',
  );
});

test.each(['hang', 'reset', 503] as const)(
  'a receiver fails with %s on demand, and remembers each attempt',
  async (status) => {
    const { inbox, posthorn } = await shop({ tolerance: '1h' });
    inbox.fail({ times: 2, status });
    await posthorn.dispatch('order.placed', {});
    await posthorn.advance('10m');
    const { attempt } = await inbox.next();
    expect(attempt).toBe(3);
    expect(inbox.deliveries.map(({ answer }) => answer)).toEqual([status, status, 204]);
    await inbox.close();
  },
);

test.each([
  ['a replay out of tolerance', -301_000, {}, 'webhook-timestamp is too old'],
  ['a timestamp of the future', 302_000, {}, 'webhook-timestamp is in the future'],
  ['another id', 0, { 'webhook-id': 'msg_2' }, 'no signature matches the secret'],
  ['another signature', 0, { 'webhook-signature': 'v1,AAAA' }, 'no signature matches the secret'],
  [
    'a timestamp that is no number',
    0,
    { 'webhook-timestamp': '1e9' },
    'webhook-timestamp is not a number of seconds',
  ],
  ['no signature', 0, { 'webhook-signature': '' }, 'a header is missing'],
])('a receiver refuses %s with 401, and says why', async (_, offsetMs, changes, reason) => {
  const now = Date.now();
  await using inbox = await receiver({ now: () => now });
  expect(await send(inbox, now + offsetMs, changes)).toBe(401);
  const [received] = await until(() => inbox.deliveries.length > 0 && inbox.deliveries);
  expect(received?.verified).toBe(false);
  expect(received?.reason).toContain(reason);
});

test('a receiver accepts a request within the tolerance, and one of several signatures', async () => {
  const now = Date.now();
  await using inbox = await receiver({ now: () => now });
  expect(await send(inbox, now - 299_000)).toBe(204);
  const signature = new Webhook(inbox.secret).sign(
    'msg_1',
    new Date(now),
    JSON.stringify({ event_type: 'a.b' }),
  );
  expect(await send(inbox, now, { 'webhook-signature': `v1,AAAA ${signature}` })).toBe(204);
  expect(inbox.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test('a secret that is not for HMAC is refused', async () => {
  await expect(receiver({ secret: 'whsk_AAAA' })).rejects.toThrow(
    expect.objectContaining({ code: 'invalid_option' }),
  );
});
