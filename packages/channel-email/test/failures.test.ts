import { createServer } from 'node:net';
import { until } from '@posthorn/testing';
import { freePort } from '@posthorn/testing/hostile-receiver';
import { smtpStandIn } from '@posthorn/testing/smtp-stand-in';
import { expect, onTestFinished, test } from 'vitest';
import { emailChannel } from '../src/index.js';
import { checkpointThat, message, setup } from './message.js';

const from = 'events@acme.example';
const signal = () => new AbortController().signal;

test.each(['connect', 'auth', 'mail', 'rcpt', 'data', 'answer'] as const)(
  'a connection that ends at %s fails the attempt, is not retried by the channel, and does not affect the next mail',
  async (stage) => {
    const auth = { user: 'ada', pass: 'correct horse battery' };
    const { server, send } = await setup({}, { auth });
    server.fail(stage, 'drop');
    expect(await send(message())).toMatchObject({ outcome: 'failed', kind: 'reset' });
    expect(server.messages.length).toBe(stage === 'answer' ? 1 : 0);
    server.recover();
    expect(await send(message())).toMatchObject({ outcome: 'delivered' });
  },
);

test.each([
  ['connect', 421, 'http_status', 'failed'],
  ['connect', 554, 'http_status', 'failed'],
  ['mail', 451, 'http_status', 'failed'],
  ['mail', 550, 'credentials', 'failed'],
  ['mail', 552, 'http_status', 'rejected'],
  ['answer', 421, 'http_status', 'failed'],
  ['answer', 451, 'http_status', 'failed'],
  ['answer', 503, 'http_status', 'failed'],
  ['answer', 554, 'http_status', 'rejected'],
] as const)('at %s, %i is %s and %s', async (stage, code, kind, outcome) => {
  const { server, send } = await setup();
  server.fail(stage, { code, text: 'as you were' });
  const verdict = await send(message());
  expect(verdict).toMatchObject({
    outcome,
    kind,
    status: code,
    response: expect.stringContaining('as you were'),
  });
});

test('a refused login has failed as credentials, is retried, and reveals no password', async () => {
  const auth = { user: 'ada', pass: 'correct horse battery' };
  const { server, send } = await setup({}, { auth });
  server.fail('auth', {
    code: 535,
    text: `5.7.8 not ${auth.pass} nor ${Buffer.from(`\0ada\0${auth.pass}`).toString('base64')}`,
  });
  const verdict = await send(message());
  expect(verdict).toMatchObject({
    outcome: 'failed',
    kind: 'credentials',
    status: 535,
    response: expect.stringContaining('not *** nor ***'),
  });
  expect(JSON.stringify(verdict)).not.toMatch(/correct|horse|battery/);
});

test('a message above the size limit of the server is rejected', async () => {
  const { server, send } = await setup({}, { maxBytes: 2_000 });
  const verdict = await send(message({ content_type: 'plain_text', body_template: 'x'.repeat(4_000) }));
  expect(verdict).toMatchObject({ outcome: 'rejected', kind: 'http_status', status: 552 });
  expect(server.messages.map(({ isAccepted }) => isAccepted)).toEqual([false]);
});

test('a port without a listener is reported as refused', async () => {
  const channel = emailChannel({ transport: `smtp://127.0.0.1:${await freePort()}`, from });
  expect(await channel.send(message(), signal())).toMatchObject({ outcome: 'failed', kind: 'refused' });
});

test('a name that does not resolve is reported as dns', async () => {
  const channel = emailChannel({ transport: 'smtps://mail.invalid', from });
  expect(await channel.send(message(), signal())).toMatchObject({ outcome: 'failed', kind: 'dns' });
});

test('a server of another protocol is reported as protocol', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  onTestFinished(() => void server.close());
  const channel = emailChannel({ transport: `smtp://127.0.0.1:${port}`, from });
  expect(await channel.send(message(), signal())).toMatchObject({ outcome: 'failed', kind: 'protocol' });
});

test('an untrusted certificate is reported as tls, with STARTTLS and without', async () => {
  for (const tls of ['starttls', 'implicit'] as const) {
    const server = await smtpStandIn({ tls });
    onTestFinished(() => server.close());
    const channel = emailChannel({ transport: server.url, from });
    onTestFinished(() => channel.close());
    expect(await channel.send(message(), signal()), tls).toMatchObject({ outcome: 'failed', kind: 'tls' });
    expect(server.messages).toEqual([]);
  }
});

test('a server that never answers fails the attempt at its timeout, and earlier results are kept', async () => {
  const { server, send } = await setup({ timeoutMs: 300 });
  const checkpoint = checkpointThat({ done: ['ada@example.com'] });
  const two = { to_addresses: ['ada@example.com', 'grace@example.com'] };
  for (const stage of ['connect', 'mail', 'rcpt', 'answer'] as const) {
    server.fail(stage, 'hang');
    expect(await send(message(two, { checkpoint })), stage).toMatchObject({
      outcome: 'failed',
      kind: 'timeout',
      checkpoint,
    });
    server.recover();
  }
  // On a busy machine this may take longer than one timeout of 300 ms.
  await until(async () => (await send(message())).outcome === 'delivered');
});

test("nodemailer's own timeouts for the connection and for each answer apply", async () => {
  const { server } = await setup();
  for (const [stage, settings, kind] of [
    ['connect', { greetingTimeout: 100 }, 'connect_timeout'],
    ['mail', { socketTimeout: 100 }, 'timeout'],
  ] as const) {
    const channel = emailChannel({ transport: { ...server.settings, ...settings }, from });
    onTestFinished(() => channel.close());
    server.fail(stage, 'hang');
    expect(await channel.send(message(), signal())).toMatchObject({ outcome: 'failed', kind });
    server.recover();
  }
});

test('a transport that ignores the signal does not delay the end of the attempt', async () => {
  const channel = emailChannel({ transport: { sendMail: () => new Promise(() => {}) }, from });
  const controller = new AbortController();
  const sending = channel.send(message(), controller.signal);
  controller.abort();
  expect(await sending).toMatchObject({ outcome: 'failed', kind: 'timeout' });
});

test('an error of another kind of transport is reported as channel_error', async () => {
  const fails = { sendMail: () => Promise.reject(new TypeError('no such queue')) };
  const channel = emailChannel({ transport: fails, from });
  expect(await channel.send(message(), signal())).toMatchObject({
    outcome: 'failed',
    kind: 'channel_error',
    message: 'the transport failed: TypeError: no such queue',
  });
});

test('a recipient that a transport rejects without a reason is retried', async () => {
  const sendMail = async () => ({ accepted: ['ada@example.com'], rejected: ['grace@example.com'] });
  const channel = emailChannel({ transport: { sendMail }, from });
  const two = message({ to_addresses: ['ada@example.com', 'grace@example.com'] });
  expect(await channel.send(two, signal())).toEqual({
    outcome: 'failed',
    kind: 'http_status',
    message: '1 of 2 recipients will be retried',
    response: 'grace@example.com: refused without a reason',
    checkpoint: checkpointThat({ done: ['ada@example.com'] }),
  });
});

test('a closed channel sends nothing', async () => {
  const { channel, send } = await setup();
  expect(await send(message())).toMatchObject({ outcome: 'delivered' });
  await channel.close();
  expect(await send(message())).toMatchObject({ outcome: 'failed', kind: 'config' });
});

test('a kept connection that the server has closed is replaced, and the mail is sent once', async () => {
  const { server, send } = await setup();
  expect(await send(message())).toMatchObject({ outcome: 'delivered' });
  server.hangUp();
  expect(await send(message())).toMatchObject({ outcome: 'delivered' });
  expect(server.messages.length).toBe(2);
  await until(() => server.connections() === 2);
});
