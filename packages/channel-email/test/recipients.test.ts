import { until } from '@posthorn/testing';
import { smtpStandIn } from '@posthorn/testing/smtp-stand-in';
import { createTransport } from 'nodemailer';
import { expect, onTestFinished, test } from 'vitest';
import { checkpointOf, checkpointThat, message, setup } from './message.js';

const three = {
  to_addresses: ['ada@example.com'],
  cc_addresses: ['grace@example.com'],
  bcc_addresses: ['alan@example.com'],
};

test('one message goes to all recipients, showing To and Cc but not Bcc', async () => {
  const { server, send } = await setup();
  expect(await send(message(three))).toMatchObject({ outcome: 'delivered', status: 250 });
  const [received, ...more] = server.messages;
  expect(more).toEqual([]);
  expect(received!.to).toEqual(['ada@example.com', 'grace@example.com', 'alan@example.com']);
  expect(received!.mail.to).toMatchObject({ text: 'ada@example.com' });
  expect(received!.mail.cc).toMatchObject({ text: 'grace@example.com' });
  expect(received!.source).not.toContain('alan@');
});

test('only temporarily refused recipients are retried, with the same mail', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 451, text: '4.2.1 Try later' }, { address: 'grace@example.com', times: 1 });
  const first = await send(message(three));
  expect(first).toMatchObject({
    outcome: 'failed',
    kind: 'http_status',
    message: '1 of 3 recipients will be retried',
    status: 451,
    response: 'grace@example.com: 451 4.2.1 Try later',
  });
  const again = message(three, {
    attempt: 2,
    startedAt: new Date('2026-11-23T10:05:00Z'),
    checkpoint: checkpointOf(first),
  });
  expect(await send(again)).toMatchObject({ outcome: 'delivered' });

  const [before, after] = server.messages;
  expect(before!.to).toEqual(['ada@example.com', 'alan@example.com']);
  expect(after!.to).toEqual(['grace@example.com']);
  expect(after!.mail.messageId).toBe(before!.mail.messageId);
  expect(after!.mail.to).toMatchObject({ text: 'ada@example.com' });
  expect(after!.mail.cc).toMatchObject({ text: 'grace@example.com' });
  expect(after!.mail.date).toEqual(new Date('2026-11-23T10:05:00Z'));
});

test('a mail that is greylisted for all recipients is delivered later', async () => {
  const { server, send } = await setup({}, { greylist: true });
  const first = await send(message(three));
  expect(first).toMatchObject({ outcome: 'failed', status: 451 });
  expect(first).not.toHaveProperty('checkpoint');
  expect(await send(message(three, { attempt: 2 }))).toMatchObject({ outcome: 'delivered' });
  expect(server.messages.map(({ to }) => to.length)).toEqual([3]);
});

test('a permanently refused recipient is not retried, and the delivered mail reports it', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 550, text: '5.1.1 No such user' }, { address: 'ada@example.com' });
  server.fail('rcpt', { code: 450, text: '4.2.0 Busy' }, { address: 'alan@example.com', times: 1 });
  const first = await send(message(three));
  expect(first).toMatchObject({ outcome: 'failed', status: 450 });
  expect(checkpointOf(first)).toBe(
    checkpointThat({ done: ['grace@example.com'], refused: ['ada@example.com'] }),
  );
  expect(checkpointOf(first)).not.toContain('@');
  server.recover();
  const second = await send(message(three, { attempt: 2, checkpoint: checkpointOf(first) }));
  expect(second).toMatchObject({
    outcome: 'delivered',
    response: expect.stringContaining('1 of 3 recipients were refused permanently: ada@example.com'),
  });
  expect(server.messages.map(({ to }) => to)).toEqual([['grace@example.com'], ['alan@example.com']]);
});

test('a mail is rejected if all recipients are refused permanently, over one or several attempts', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 550, text: '5.1.1 No such user' });
  expect(await send(message(three))).toMatchObject({
    outcome: 'rejected',
    kind: 'config',
    message: '3 of 3 recipients were refused permanently',
    status: 550,
    response: expect.stringContaining('alan@example.com: 550 5.1.1 No such user'),
  });
  const checkpoint = checkpointThat({ refused: ['ada@example.com', 'grace@example.com'] });
  expect(await send(message(three, { attempt: 2, checkpoint }))).toMatchObject({ outcome: 'rejected' });
  expect(server.messages).toEqual([]);
});

test('552 for a recipient means too many recipients and is retried (RFC 5321 §4.5.3.1.10)', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 552, text: 'Too many recipients' }, { address: 'alan@example.com' });
  expect(await send(message(three))).toMatchObject({ outcome: 'failed', status: 552 });
});

test('an attempt that fails for all keeps the recipients that already have the mail', async () => {
  const { server, send } = await setup();
  const checkpoint = checkpointThat({ done: ['ada@example.com'] });
  for (const stage of ['connect', 'mail', 'rcpt', 'data', 'answer'] as const) {
    server.fail(stage, 'drop');
    const verdict = await send(message(three, { attempt: 2, checkpoint }));
    expect(checkpointOf(verdict), stage).toBe(checkpoint);
    server.recover();
  }
  server.fail('answer', { code: 554, text: '5.7.1 Spam' });
  expect(await send(message(three, { attempt: 3, checkpoint }))).toMatchObject({
    outcome: 'delivered',
    response: expect.stringContaining('2 of 3 recipients were refused permanently'),
  });
});

test('an unreadable checkpoint, or one of other recipients, is ignored', async () => {
  const { server, send } = await setup();
  for (const checkpoint of ['', 'null', '{"done":1}', checkpointThat({ done: ['eve@example.com'] }), '[]']) {
    expect(await send(message(three, { checkpoint })), checkpoint).toMatchObject({ outcome: 'delivered' });
  }
  expect(server.messages.map(({ to }) => to.length)).toEqual([3, 3, 3, 3, 3]);
});

test('nothing is sent if no recipient is left', async () => {
  const { server, send } = await setup();
  const checkpoint = checkpointThat({ done: ['ada@example.com'] });
  expect(await send(message({}, { checkpoint }))).toMatchObject({ outcome: 'delivered' });
  expect(server.connections()).toBe(0);
});

test('a refused address with a domain in another script is recognized again', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 450, text: 'Busy' }, { address: 'grace@bücher.example', times: 1 });
  const configs = { to_addresses: ['ada@example.com', 'grace@BÜCHER.example'] };
  const first = await send(message(configs));
  expect(checkpointOf(first)).toBe(checkpointThat({ done: ['ada@example.com'] }));
  expect(await send(message(configs, { attempt: 2, checkpoint: checkpointOf(first) }))).toMatchObject({
    outcome: 'delivered',
  });
  expect(server.messages.map(({ to }) => to)).toEqual([['ada@example.com'], ['grace@bücher.example']]);
});

test('an address in several fields or spellings gets the mail once', async () => {
  const { server, send } = await setup();
  await send(
    message({ to_addresses: ['ada@example.com', 'ada@EXAMPLE.com'], bcc_addresses: ['ada@example.com'] }),
  );
  expect(server.messages.map(({ to }) => to)).toEqual([['ada@example.com']]);
});

const many = {
  to_addresses: ['gone1@example.com', 'gone2@example.com', 'ada@example.com', 'gone3@example.com'],
  cc_addresses: ['grace@example.com'],
};

test('if a server hangs up after refused recipients, each recipient is tried separately, and valid ones get the mail once', async () => {
  for (const pool of [true, false]) {
    const server = await smtpStandIn({ maxRefusals: 2 });
    onTestFinished(() => server.close());
    const { send } = await setup({ transport: { ...server.settings, pool } });
    for (const address of ['gone1@example.com', 'gone2@example.com', 'gone3@example.com']) {
      server.fail('rcpt', { code: 550, text: '5.1.1 No such user' }, { address });
    }
    let verdict = await send(message(many));
    for (let attempt = 2; verdict.outcome === 'failed' && attempt < 5; attempt++) {
      verdict = await send(message(many, { attempt, checkpoint: checkpointOf(verdict) }));
    }
    expect(verdict).toMatchObject({
      outcome: 'delivered',
      response: expect.stringContaining('3 of 5 recipients were refused permanently'),
    });
    expect(server.messages.map(({ to }) => to)).toEqual([['ada@example.com'], ['grace@example.com']]);
    const [first, second] = server.messages.map(({ mail }) => mail.messageId);
    expect(first).toBe(second);
  }
});

test('a recipient at which the server hangs up is retried, and the others get their own answers', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 421, text: '4.3.0 Not now' }, { address: 'gone2@example.com' });
  server.fail('rcpt', { code: 550, text: '5.1.1 No such user' }, { address: 'gone1@example.com' });
  const verdict = await send(message(many));
  expect(verdict).toMatchObject({
    outcome: 'failed',
    kind: 'http_status',
    status: 421,
    message: '1 of 5 recipients will be retried',
    response: expect.stringContaining('gone1@example.com: 550 5.1.1 No such user'),
  });
  expect(checkpointOf(verdict)).toBe(
    checkpointThat({
      done: ['ada@example.com', 'gone3@example.com', 'grace@example.com'],
      refused: ['gone1@example.com'],
    }),
  );
  server.recover();
  const again = await send(message(many, { attempt: 2, checkpoint: checkpointOf(verdict) }));
  expect(again).toMatchObject({ outcome: 'delivered' });
  expect(server.messages.flatMap(({ to }) => to).sort()).toEqual([
    'ada@example.com',
    'gone2@example.com',
    'gone3@example.com',
    'grace@example.com',
  ]);
});

test('the answer to the message of a separate transaction belongs to its recipient', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 421, text: '4.7.0 Too many errors' }, { times: 1 });
  server.fail('answer', { code: 554, text: '5.7.1 Not for this mailbox' }, { times: 1 });
  expect(await send(message(three))).toMatchObject({
    outcome: 'delivered',
    response: expect.stringContaining('1 of 3 recipients were refused permanently: ada@example.com'),
  });
  expect(server.messages.map(({ to, isAccepted }) => [...to, isAccepted])).toEqual([
    ['ada@example.com', false],
    ['grace@example.com', true],
    ['alan@example.com', true],
  ]);
});

test('a server that hangs up on every recipient is tried three times, and one that hangs up at the greeting once', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', { code: 421, text: '4.3.2 Closing down' });
  expect(await send(message(many))).toMatchObject({
    outcome: 'failed',
    status: 421,
    message: '5 of 5 recipients will be retried',
    response: expect.stringContaining('grace@example.com: not asked'),
  });
  expect(server.connections()).toBe(4);
  server.recover();
  server.fail('connect', { code: 421, text: '4.3.2 Closing down' });
  expect(await send(message(many))).toMatchObject({ outcome: 'failed', status: 421 });
  expect(server.connections()).toBe(5);
  expect(server.messages).toEqual([]);
});

test('recipients that have the mail are kept if the attempt ends or the server disappears between two recipients', async () => {
  for (const [fault, kind] of [
    ['hang', 'timeout'],
    ['drop', 'reset'],
  ] as const) {
    const server = await smtpStandIn();
    onTestFinished(() => server.close());
    const smtp = createTransport(server.settings);
    const controller = new AbortController();
    let sends = 0;
    const { send } = await setup({
      transport: {
        async sendMail(mail) {
          sends++;
          const sending = smtp.sendMail(mail);
          if (fault === 'hang' && sends === 3) controller.abort();
          return sending;
        },
      },
    });
    server.fail('rcpt', fault, { address: 'grace@example.com' });
    const hangUp = { code: 421, text: '4.7.0 Too many errors' };
    server.fail('rcpt', hangUp, { address: 'ada@example.com', times: 1 });
    const verdict = await send(message(three), controller.signal);
    expect(verdict, fault).toMatchObject({ outcome: 'failed', kind });
    expect(checkpointOf(verdict), fault).toBe(checkpointThat({ done: ['ada@example.com'] }));
    expect(sends, fault).toBe(3);
  }
});

test('answers before the connection ended are kept, and the other recipients are tried separately', async () => {
  for (const own of [true, false]) {
    for (const pool of [true, false]) {
      const server = await smtpStandIn();
      onTestFinished(() => server.close());
      const settings = { ...server.settings, pool };
      const { send } = await setup({ transport: own ? createTransport(settings as object) : settings });
      server.fail('rcpt', { code: 550, text: '5.1.1 No such user' }, { address: 'gone1@example.com' });
      server.fail('rcpt', 'drop', { address: 'gone2@example.com' });
      const verdict = await send(message(many));
      expect(verdict).toMatchObject({
        outcome: 'failed',
        kind: 'reset',
        message: '1 of 5 recipients will be retried',
        response: expect.stringContaining('gone1@example.com: 550 5.1.1 No such user'),
      });
      expect(checkpointOf(verdict)).toBe(
        checkpointThat({
          done: ['ada@example.com', 'gone3@example.com', 'grace@example.com'],
          refused: ['gone1@example.com'],
        }),
      );
      expect(server.recipients.filter((address) => address === 'gone1@example.com')).toHaveLength(1);
      server.recover();
      const again = await send(message(many, { attempt: 2, checkpoint: checkpointOf(verdict) }));
      expect(again).toMatchObject({ outcome: 'delivered' });
      expect(server.messages.flatMap(({ to }) => to).sort()).toEqual([
        'ada@example.com',
        'gone2@example.com',
        'gone3@example.com',
        'grace@example.com',
      ]);
    }
  }
});

test('a recipient at which the server falls silent is retried, and the others get their own answers', async () => {
  const server = await smtpStandIn();
  onTestFinished(() => server.close());
  const { send } = await setup({ transport: { ...server.settings, socketTimeout: 300 } });
  server.fail('rcpt', 'hang', { address: 'ada@example.com' });
  const known = checkpointThat({ done: ['grace@example.com', 'alan@example.com'] });
  // On a busy machine the others may take longer than one timeout of 300 ms.
  await until(async () => {
    const verdict = await send(message(three));
    expect(verdict).toMatchObject({ outcome: 'failed', kind: 'timeout' });
    return checkpointOf(verdict) === known;
  });
});

test('recipients after one at which the server falls silent get the mail with the second attempt', async () => {
  for (const [own, pool] of [
    [true, false],
    [false, true],
  ] as const) {
    const server = await smtpStandIn();
    onTestFinished(() => server.close());
    const settings = { ...server.settings, pool };
    const { send } = await setup({
      transport: own ? createTransport(settings as object) : settings,
      timeoutMs: 3_000,
    });
    server.fail('rcpt', 'hang', { address: 'ada@example.com' });
    const known = checkpointThat({ done: ['grace@example.com', 'alan@example.com'] });
    // On a busy machine the others may take longer than the rest of the timeout.
    await until(async () => {
      const verdict = await send(message(three, { attempt: 2 }));
      expect(verdict).toMatchObject({ outcome: 'failed', kind: 'timeout' });
      return checkpointOf(verdict) === known;
    });
  }
});

test('a silent server keeps the whole timeout at a first attempt, for a single recipient, and after the message was sent', async () => {
  for (const [attempt, stage, recipients] of [
    [1, 'rcpt', three],
    [2, 'rcpt', { to_addresses: ['ada@example.com'] }],
    [2, 'answer', three],
  ] as const) {
    const { server, send } = await setup({ timeoutMs: 1_200 });
    server.fail(stage, 'hang');
    expect(await send(message(recipients, { attempt })), stage).toMatchObject({
      outcome: 'failed',
      kind: 'timeout',
      message: 'the mail server did not finish in time',
    });
    expect(server.connections(), stage).toBe(1);
  }
});

test('permanently refused recipients are kept however the attempt ends', async () => {
  const refused = { code: 550, text: '5.1.1 No such user' };
  for (const [stage, fault, kind] of [
    ['rcpt', 'hang', 'timeout'],
    ['data', 'drop', 'reset'],
    ['answer', 'drop', 'reset'],
    ['answer', 'hang', 'timeout'],
    ['answer', { code: 451, text: '4.3.0 Not now' }, 'http_status'],
  ] as const) {
    const { server, send } = await setup();
    server.fail(stage, fault, stage === 'rcpt' ? { address: 'grace@example.com' } : {});
    server.fail('rcpt', refused, { address: 'ada@example.com' });
    const controller = new AbortController();
    const sending = send(message(three), controller.signal);
    if (fault === 'hang') {
      await until(() => (stage === 'rcpt' ? server.recipients.length > 1 : server.messages.length > 0));
      // The earlier answer is read one turn of the event loop later.
      for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
    }
    const verdict = await sending;
    expect(verdict, `${stage} ${kind}`).toMatchObject({
      outcome: 'failed',
      kind,
      response: expect.stringContaining('ada@example.com: 550 5.1.1 No such user'),
    });
    expect(checkpointOf(verdict)).toBe(checkpointThat({ refused: ['ada@example.com'] }));
    // Whether the message arrived is unknown, so it is not sent again within the attempt.
    expect(server.connections()).toBe(1);
  }
});

test('a server that closes the connection at every recipient without an answer is given up after three more', async () => {
  const { server, send } = await setup();
  server.fail('rcpt', 'drop');
  expect(await send(message(many))).toMatchObject({
    outcome: 'failed',
    kind: 'reset',
    response: expect.stringContaining('grace@example.com: not asked'),
  });
  expect(server.connections()).toBe(4);
});

test('a refused sender is not a hang-up, even with a nodemailer that does not keep it in the envelope', async () => {
  let sends = 0;
  const plugins: ((mail: object, done: () => void) => void)[] = [];
  // As in nodemailer 6.
  const older = {
    transporter: {},
    use: (_: string, plugin: (typeof plugins)[number]) => plugins.push(plugin),
    async sendMail(data: object) {
      sends++;
      const envelope = { to: ['ada@example.com', 'grace@example.com'], accepted: [], rejectedErrors: [] };
      for (const plugin of plugins) plugin({ data, message: { getEnvelope: () => envelope } }, () => {});
      const refusal = {
        code: 'EENVELOPE',
        command: 'MAIL FROM',
        responseCode: 550,
        response: '550 5.7.1 No',
      };
      throw Object.assign(new Error('Mail command failed'), refusal);
    },
  };
  const { send } = await setup({ transport: older });
  expect(await send(message(three))).toMatchObject({
    outcome: 'failed',
    kind: 'credentials',
    message: 'the mail server refused our sender with 550',
  });
  expect(sends).toBe(1);
});
