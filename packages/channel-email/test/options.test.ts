import { expect, test } from 'vitest';
import { type EmailChannelOptions, emailChannel } from '../src/index.js';

const valid = { transport: 'smtps://mail.example', from: 'events@acme.example' };

test.each([
  [{ ...valid, form: 'x' }, 'no option is called form in emailChannel; there is transport, from'],
  [{ from: valid.from }, 'transport must be a URL, SMTP settings or a nodemailer transport, not undefined'],
  [{ ...valid, transport: 'https://mail.example' }, 'transport must be a URL of smtp: or smtps:'],
  [{ ...valid, transport: 'smtp://' }, 'transport must be a URL of smtp: or smtps:'],
  [{ ...valid, transport: { streamTransport: true } }, 'transport must have host, url or service'],
  [{ ...valid, transport: { host: 'mail.example', requireTLS: false } }, 'transport turns STARTTLS off'],
  [
    { ...valid, transport: 'smtp://ada:hidden@mail.example?requireTLS=false' },
    'transport turns STARTTLS off',
  ],
  [{ transport: valid.transport }, 'from is required'],
  [{ ...valid, from: 'Acme' }, 'from must be an address'],
  [{ ...valid, from: 'a@acme.example, b@acme.example' }, 'from must be an address'],
  [{ ...valid, from: { name: 'Acme\r\nBcc: x@y.example', address: valid.from } }, 'from must be an address'],
  [{ ...valid, allowPlaintext: 'yes' }, 'allowPlaintext must be true or false'],
  [{ ...valid, timeoutMs: 0 }, 'timeoutMs must be a whole number'],
  [{ ...valid, timeoutMs: 1e9 }, 'timeoutMs must be a whole number'],
  [{ ...valid, listUnsubscribe: 'https://x' }, 'listUnsubscribe must be a function, not a string'],
  [{ ...valid, defaultContent: {} }, 'defaultContent must be a function, not an object'],
  [null, 'options of emailChannel must be an object, not null'],
])('refuses %j', (options, message) => {
  const make = () => emailChannel(options as unknown as EmailChannelOptions);
  expect(make).toThrow(
    expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(message) }),
  );
  expect(make).not.toThrow(/hidden/);
});

test.each([
  'events@acme.example',
  'Acme <events@acme.example>',
  '"Acme, Inc." <events@acme.example>',
  { name: 'Acme', address: 'events@acme.example' },
  { address: 'events@acme.example' },
])('accepts %j as the sender', (from) => {
  expect(emailChannel({ ...valid, from }).type).toBe('email');
});

test('the deadline of an attempt is a little later than its timeout', () => {
  expect(emailChannel({ ...valid, timeoutMs: 5_000 }).deadlineMs!({ to_addresses: [] })).toBe(6_000);
});
