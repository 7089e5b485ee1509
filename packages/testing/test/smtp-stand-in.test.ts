import { createTransport, type SendMailOptions, type SMTPTransportOptions } from 'nodemailer';
import { expect, onTestFinished, test } from 'vitest';
import { type SmtpStandIn, type SmtpStandInOptions, smtpStandIn } from '../src/smtp-stand-in/index.js';

async function open(options?: SmtpStandInOptions): Promise<SmtpStandIn> {
  const server = await smtpStandIn(options);
  onTestFinished(() => server.close());
  return server;
}

/** Sends with its own connection. */
function send(server: SmtpStandIn, mail: SendMailOptions = {}, settings: SMTPTransportOptions = {}) {
  const transport = createTransport({ ...server.settings, requireTLS: true, ...settings });
  return transport.sendMail({
    from: 'ada@example.com',
    to: 'grace@example.com',
    subject: 'Hi',
    text: 'Hello',
    ...mail,
  });
}

test('keeps what it accepted, parsed and raw', async () => {
  const server = await open();
  await send(server);
  expect(server.messages).toMatchObject([
    {
      from: 'ada@example.com',
      to: ['grace@example.com'],
      mail: { subject: 'Hi', text: 'Hello\n' },
      source: expect.stringContaining('Subject: Hi\r\n'),
      isAccepted: true,
    },
  ]);
  expect(server.connections()).toBe(1);
});

test.each(['starttls', 'implicit'] as const)(
  'uses TLS (%s) with a certificate of its own authority',
  async (tls) => {
    const server = await open({ tls });
    await send(server);
    await expect(send(server, {}, { tls: {} })).rejects.toThrow(/certificate/);
    expect(server.messages).toHaveLength(1);
  },
);

test('offers no TLS where it is turned off', async () => {
  const server = await open({ tls: 'none' });
  await expect(send(server)).rejects.toMatchObject({ code: 'ETLS' });
  await send(server, {}, { requireTLS: false });
  expect(server.messages).toHaveLength(1);
});

test('where a login is required, sending without one is refused, and so is a login without TLS', async () => {
  const auth = { user: 'ada', pass: 'p@ss:word' };
  const server = await open({ auth });
  await send(server);
  await expect(send(server, {}, { auth: { user: 'ada', pass: 'wrong' } })).rejects.toMatchObject({
    responseCode: 535,
  });
  await expect(send(server, {}, { auth: undefined })).rejects.toMatchObject({ responseCode: 530 });
  await expect(send(server, {}, { requireTLS: false, ignoreTLS: true })).rejects.toMatchObject({
    responseCode: 538,
  });
  expect(new URL(server.url)).toMatchObject({
    protocol: 'smtp:',
    username: 'ada',
    password: 'p%40ss%3Aword',
  });
  expect(server.messages).toHaveLength(1);
});

test('a message that is too large is refused with 552', async () => {
  const server = await open({ maxBytes: 1_000 });
  await expect(send(server, { text: 'x'.repeat(2_000) })).rejects.toMatchObject({ responseCode: 552 });
  expect(server.messages.filter(({ isAccepted }) => isAccepted)).toEqual([]);
});

test('greylists each recipient once', async () => {
  const server = await open({ greylist: true });
  await expect(send(server)).rejects.toMatchObject({ responseCode: 451 });
  await send(server);
  const { rejected } = await send(server, { to: ['grace@example.com', 'alan@example.com'] });
  expect(rejected).toEqual(['alan@example.com']);
  expect(server.messages.map(({ to }) => to)).toEqual([['grace@example.com'], ['grace@example.com']]);
});

test('fails at the stage, for the address and as often as it was told, until it recovers', async () => {
  const server = await open();
  const refusal = { code: 550, text: '5.1.1 No such user' };
  server.fail('rcpt', refusal, { address: 'alan@example.com' });
  server.fail('answer', { code: 451, text: '4.3.0 Later' }, { times: 1 });
  const both = { to: ['grace@example.com', 'alan@example.com'] };
  await expect(send(server, both)).rejects.toMatchObject({ responseCode: 451, response: '451 4.3.0 Later' });
  expect(await send(server, both)).toMatchObject({
    rejected: ['alan@example.com'],
    rejectedErrors: [expect.objectContaining({ response: '550 5.1.1 No such user' })],
  });
  server.recover();
  expect(await send(server, both)).toMatchObject({ rejected: [] });
  expect(server.messages.map(({ isAccepted }) => isAccepted)).toEqual([false, true, true]);
});

test.each(['connect', 'mail', 'rcpt', 'data', 'answer'] as const)(
  'drops the connection at %s',
  async (stage) => {
    const server = await open();
    server.fail(stage, 'drop');
    await expect(send(server)).rejects.toThrow();
    expect(server.messages.map(({ isAccepted }) => isAccepted)).toEqual(stage === 'answer' ? [false] : []);
  },
);

test('an answer may quote what came in', async () => {
  const server = await open();
  server.fail('answer', { code: 554, text: (source) => source.slice(0, 9) });
  await expect(send(server)).rejects.toMatchObject({ response: '554 From: ada' });
});

test('closing ends what hangs', async () => {
  const server = await smtpStandIn();
  server.fail('answer', 'hang');
  const sending = send(server);
  sending.catch(() => {});
  await expect.poll(() => server.messages.length).toBe(1);
  await server.close();
  await expect(sending).rejects.toThrow();
});
