import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { smtpStandIn } from '@posthorn/testing/smtp-stand-in';
import { createTransport } from 'nodemailer';
import { expect, onTestFinished, test } from 'vitest';
import { emailChannel } from '../src/index.js';
import { message, setup } from './message.js';

const auth = { user: 'ada', pass: 'correct horse: battery@staple' };

test('Message-ID comes from the delivery and the sender, Date from the attempt, and automatic replies are suppressed', async () => {
  const { server, send } = await setup();
  await send(message());
  await send(message({}, { attempt: 2, startedAt: new Date('2026-11-23T10:05:00Z') }));
  const [first, second] = server.messages.map(({ mail }) => mail);
  expect(first!.messageId).toBe('<dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij@acme.example>');
  expect(second!.messageId).toBe(first!.messageId);
  expect([first!.date, second!.date]).toEqual([
    new Date('2026-11-23T10:00:05Z'),
    new Date('2026-11-23T10:05:00Z'),
  ]);
  expect(first!.from).toMatchObject({ value: [{ name: 'Acme Events', address: 'events@acme.example' }] });
  expect([...first!.headers.keys()].sort()).toEqual([
    'auto-submitted',
    'content-type',
    'date',
    'from',
    'message-id',
    'mime-version',
    'subject',
    'to',
  ]);
  expect(first!.headers.get('auto-submitted')).toBe('auto-generated');
});

test('a domain in another script is written in ASCII, in the envelope and in the headers', async () => {
  const mails: { envelope?: unknown }[] = [];
  const sendMail = async (mail: { envelope?: unknown }) => void mails.push(mail);
  const channel = emailChannel({ transport: { sendMail }, from: 'info@bücher.example' });
  await channel.send(message({ to_addresses: ['ada@bücher.example'] }), new AbortController().signal);
  expect(mails[0]!.envelope).toEqual({
    from: 'info@xn--bcher-kva.example',
    to: ['ada@xn--bcher-kva.example'],
  });

  const { server, send } = await setup({ from: 'Büro <info@bücher.example>' });
  await send(message({ to_addresses: ['ada@bücher.example'] }));
  const [{ mail, source }] = server.messages as [(typeof server.messages)[0]];
  expect(source).toContain('To: ada@xn--bcher-kva.example\r\n');
  expect(mail.from).toMatchObject({ value: [{ name: 'Büro' }] });
  expect(mail.messageId).toMatch(/@xn--bcher-kva\.example>$/);
});

test('an https: link to unsubscribe comes with one click (RFC 8058), a mailto: link without', async () => {
  const seen: (string | undefined)[] = [];
  const links = ['https://acme.example/u?a=1,2&b=<x>', 'mailto:off@acme.example', undefined];
  const { server, send } = await setup({
    listUnsubscribe: (_, recipient) => {
      seen.push(recipient);
      return links[seen.length - 1];
    },
  });
  await send(message());
  await send(message({ cc_addresses: ['grace@example.com'] }));
  await send(message());
  expect(seen).toEqual(['ada@example.com', undefined, 'ada@example.com']);
  const headers = server.messages.map(({ source }) =>
    source.split('\r\n').filter((line) => /^list-/i.test(line)),
  );
  expect(headers).toEqual([
    [
      'List-Unsubscribe: <https://acme.example/u?a=1%2C2&b=%3Cx%3E>',
      'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
    ],
    ['List-Unsubscribe: <mailto:off@acme.example>'],
    [],
  ]);
});

test('an invalid link to unsubscribe fails the attempt, and nothing is sent', async () => {
  for (const link of ['http://acme.example/u', 'javascript:alert(1)', 'off', '']) {
    const { server, send } = await setup({ listUnsubscribe: () => link });
    expect(await send(message()), link).toMatchObject({ outcome: 'failed', kind: 'config' });
    expect(server.connections()).toBe(0);
  }
});

test.each(['starttls', 'implicit'] as const)(
  'logs in and sends over TLS (%s), by settings and by URL',
  async (tls) => {
    const { server, send } = await setup({}, { tls, auth });
    expect(await send(message())).toMatchObject({ outcome: 'delivered' });
    const byUrl = emailChannel({
      transport: { url: server.url, tls: { ca: server.ca } },
      from: 'events@acme.example',
    });
    onTestFinished(() => byUrl.close());
    expect(await byUrl.send(message(), new AbortController().signal)).toMatchObject({ outcome: 'delivered' });
    expect(server.messages).toHaveLength(2);
  },
);

test('without TLS nothing is sent, not even to localhost, unless allowPlaintext is set', async () => {
  const { server, send } = await setup({}, { tls: 'none', auth });
  expect(await send(message())).toMatchObject({ outcome: 'failed', kind: 'tls' });
  expect(server.messages).toEqual([]);
  const plain = emailChannel({ transport: server.url, from: 'events@acme.example', allowPlaintext: true });
  onTestFinished(() => plain.close());
  expect(await plain.send(message(), new AbortController().signal)).toMatchObject({ outcome: 'delivered' });
});

test('one connection carries many mails', async () => {
  const { server, send } = await setup();
  for (let i = 0; i < 5; i++) expect(await send(message())).toMatchObject({ outcome: 'delivered' });
  expect(server.connections()).toBe(1);
});

test("the application's own transport is used unchanged, with its sender, and left open", async () => {
  const server = await smtpStandIn();
  const transport = createTransport({ ...server.settings, pool: true }, { from: 'Acme <own@acme.example>' });
  onTestFinished(async () => {
    transport.close();
    await server.close();
  });
  const channel = emailChannel({ transport });
  expect(await channel.send(message(), new AbortController().signal)).toMatchObject({ outcome: 'delivered' });
  await channel.close();
  expect(await channel.send(message(), new AbortController().signal)).toMatchObject({ outcome: 'delivered' });
  expect(server.messages[0]).toMatchObject({ from: 'own@acme.example' });
  expect(server.messages[0]!.mail.messageId).toMatch(/@acme\.example>$/);
});

test('T17: stored configs reach no option of the transport', async () => {
  const mails: object[] = [];
  const transport = {
    sendMail: async (mail: object) => {
      mails.push(mail);
    },
  };
  const channel = emailChannel({ transport, from: 'events@acme.example' });
  const stored = {
    raw: { path: '/etc/passwd' },
    attachments: [{ path: '/etc/passwd' }],
    html: { href: 'http://127.0.0.1/' },
    headers: { Bcc: 'v@example.com' },
    envelope: { from: 'x@evil.example' },
    icalEvent: {},
    list: {},
  };
  await channel.send(message({ ...stored, body_template: 'x' }), new AbortController().signal);
  expect(Object.keys(mails[0]!).sort()).toEqual(
    [
      ...[
        'from',
        'to',
        'cc',
        'envelope',
        'subject',
        'text',
        'html',
        'date',
        'messageId',
        'headers',
        'xMailer',
      ],
      ...['textEncoding', 'disableFileAccess', 'disableUrlAccess', 'signal'],
    ].sort(),
  );
  expect(mails[0]).toMatchObject({ disableFileAccess: true, disableUrlAccess: true });
  expect(JSON.stringify(mails[0])).not.toMatch(/passwd|127\.0\.0\.1|evil|v@example/);
});

test('an engine sends mail and retries a greylisted one, and the reader sees one mail', async () => {
  const server = await smtpStandIn({ greylist: true });
  const channel = emailChannel({ transport: server.settings, from: 'events@acme.example' });
  const posthorn = createDispatcher({
    storage: memoryStorage(),
    channels: [channel],
    retry: { schedule: ['1ms'], jitter: 0 },
  });
  onTestFinished(async () => {
    await posthorn.stop();
    await channel.close();
    await server.close();
  });
  await posthorn.webhooks.create({
    name: 'Orders to Ada',
    eventTypes: ['order.*'],
    channels: [{ channel: 'email', configs: { to_addresses: ['ada@example.com'] } }],
  });
  const delivered = new Promise((resolve) => posthorn.once('delivery:delivered', resolve));
  posthorn.start();
  await posthorn.dispatch('order.created', { orderId: 'o1' });
  await delivered;
  expect(server.messages.map(({ mail }) => mail.subject)).toEqual(['order.created']);
});
