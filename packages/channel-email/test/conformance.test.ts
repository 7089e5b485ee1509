import { parseDeliveryId } from '@posthorn/core/storage';
import {
  type Answer,
  channelConformance,
  checkpointConformance,
  type RecipientAnswer,
} from '@posthorn/testing';
import { type SmtpReply, type SmtpStandIn, smtpStandIn } from '@posthorn/testing/smtp-stand-in';
import { describe, test } from 'vitest';
import { emailChannel } from '../src/index.js';

const answers: Record<Answer, (server: SmtpStandIn) => void> = {
  success: () => undefined,
  failure: (server) => server.fail('answer', { code: 451, text: '4.3.0 Try again later' }),
  refusal: (server) => server.fail('answer', { code: 554, text: '5.7.1 Refused' }),
  rate_limited: (server) => server.fail('answer', { code: 452, text: '4.3.1 Too much mail' }),
  gone: (server) => server.fail('answer', { code: 550, text: '5.1.1 No such user' }),
  echo: (server) => server.fail('answer', { code: 554, text: (source) => source }),
  flood: (server) => server.fail('answer', { code: 250, text: 'x'.repeat(1024 * 1024) }),
  hangup: (server) => server.fail('answer', 'drop'),
  never: (server) => server.fail('answer', 'hang'),
};

channelConformance({
  runner: { describe, test },
  async open() {
    const server = await smtpStandIn();
    const channel = emailChannel({ transport: server.settings, from: 'Acme <events@acme.example>' });
    return {
      channel,
      configs: [
        { to_addresses: ['ada@example.com'], content_type: 'json' },
        { recipients: ['ada@example.com', 'grace@bücher.example'], cc_addresses: null },
        {
          to_addresses: ['ada@example.com'],
          cc_addresses: ['grace@example.com'],
          bcc_addresses: ['alan@example.com'],
          subject_template: '{{ event.type }}',
          body_template: '<p>{{ event.id }}</p>',
          content_type: 'html',
        },
        { to_addresses: ['ada@example.com'], body_template: '# {{ event.type }}', content_type: 'markdown' },
        {
          to_addresses: ['ada@example.com'],
          content_type: 'plain_text',
          subject_template: 'Plain',
          body_template: '{{ event.id }}',
        },
      ],
      answer(how) {
        server.recover();
        answers[how](server);
      },
      received: () =>
        server.messages.map(({ mail, source }) => {
          const [deliveryId = ''] = mail.messageId?.slice(1).split('@') ?? [];
          const { subject = '', html, text = '' } = mail;
          return {
            eventId: parseDeliveryId(deliveryId)?.eventId ?? deliveryId,
            parts: { subject, text, ...(html !== false && { html }) },
            ...(source.includes('Subject: order.created') &&
              mail.html === false && { payload: JSON.parse(mail.text ?? '') }),
          };
        }),
      async close() {
        await channel.close();
        await server.close();
      },
    };
  },
  skip: {
    'answers/a receiver that has met its limit is busy, and nothing has failed':
      'a mail server defers a recipient or a message; SMTP has no rate limit',
    'answers/the wait that a receiver asks for is the wait of the verdict': 'SMTP has no Retry-After',
    'answers/a receiver that is gone for good is gone, so that its webhook can be paused':
      'a mailbox that is gone is refused, and the other recipients still get mail',
  },
});

const replies: Record<RecipientAnswer, SmtpReply | undefined> = {
  takes: undefined,
  failsForNow: { code: 451, text: '4.2.1 Try again later' },
  refuses: { code: 550, text: '5.1.1 No such user' },
  rate_limited: { code: 452, text: '4.5.3 Too many recipients' },
};

checkpointConformance({
  runner: { describe, test },
  async open() {
    const server = await smtpStandIn();
    const channel = emailChannel({ transport: server.settings, from: 'Acme <events@acme.example>' });
    const recipients = ['ada', 'ben', 'cleo', 'dora'].map((name) => `${name}@example.com`);
    const [ada, ben, ...others] = recipients;
    const told = new Map<string, SmtpReply | undefined>();
    return {
      channel,
      configs: { to_addresses: [ada, ben], cc_addresses: [others[0]], bcc_addresses: [others[1]] },
      recipients,
      answer(address, how) {
        told.set(address, replies[how]);
        server.recover();
        for (const [address, reply] of told) if (reply) server.fail('rcpt', reply, { address });
      },
      asked: () => server.recipients,
      async close() {
        await channel.close();
        await server.close();
      },
    };
  },
  skip: {
    'a limit that is met half way leaves a checkpoint, too':
      'a mail server defers a recipient or a message; SMTP has no rate limit',
  },
});
