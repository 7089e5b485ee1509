import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { emailChannel } from '@posthorn/channel-email';
import { slackChannel } from '@posthorn/channel-slack';
import { smsChannel, twilio } from '@posthorn/channel-sms';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { seededIds, until } from '@posthorn/testing';
import { slackStandIn } from '@posthorn/testing/slack-stand-in';
import { smtpStandIn } from '@posthorn/testing/smtp-stand-in';
import { twilioStandIn } from '@posthorn/testing/twilio-stand-in';
import { githubEvents } from './github-events.js';
import { slackPage } from './slack-page.js';

/*
 * Sends real GitHub events to people, by Slack, email and text message. One Slack workspace fails twice, another one is
 * down: only the failed messages are retried, and the people on call get a text instead. `--previews <folder>` writes
 * the messages to files.
 */

const { previews } = parseArgs({ options: { previews: { type: 'string' } } }).values;

// Stand-ins for Slack, a mail server and Twilio: servers on this machine that behave as those are documented.
const [slack, downSlack, mail, texts] = await Promise.all([
  slackStandIn(),
  slackStandIn(),
  smtpStandIn(),
  twilioStandIn(),
]);
slack.failNext('rollup_error', 2); // Slack's error for a failure of its own: HTTP 500
downSlack.failNext('rollup_error', Number.POSITIVE_INFINITY);

const email = emailChannel({ transport: mail.settings, from: 'Posthorn <events@example.com>' });
const { accountSid, authToken, from, url: baseUrl } = texts;
const { outbound } = slack.channelOptions;
const dispatcher = createDispatcher({
  storage: memoryStorage(),
  channels: [
    slackChannel(slack.channelOptions),
    email,
    smsChannel({ provider: twilio({ accountSid, authToken, from, baseUrl, outbound }) }),
  ],
  retry: { schedule: ['200ms', '400ms', '800ms'] }, // in production leave the default: seconds to hours
  ids: seededIds(), // the same in every run, so that the previews are the same, too
});

await dispatcher.webhooks.create({
  id: 'wh_HelloWorld',
  name: 'Hello-World team',
  eventTypes: ['issues.opened', 'pull_request.opened', 'release.published'],
  channels: [
    { channel: 'slack', configs: { webhook_url: slack.webhookUrl } },
    { channel: 'email', configs: { to_addresses: ['team@example.com'] } },
    {
      channel: 'sms',
      configs: {
        phone_numbers: ['+12025550143'],
        message_template:
          '{{ subject.type }} {{ subject.id }} by {{ metadata.author }}: {{ metadata.title }}',
      },
    },
  ],
});
await dispatcher.webhooks.create({
  name: 'On call',
  eventTypes: ['code_scanning_alert.*'],
  channels: [
    { channel: 'slack', configs: { webhook_url: downSlack.webhookUrl } },
    {
      channel: 'sms',
      configs: { phone_numbers: ['+12025550178'] },
      onlyAfter: { channel: 'slack', failedAttempts: 3 },
    },
  ],
});
await dispatcher.webhooks.create({
  name: 'What was discussed',
  eventTypes: ['issue_comment.*', 'commit_comment.*', 'pull_request_review_comment.*'],
  channels: [
    {
      channel: 'email',
      configs: { to_addresses: ['team@example.com'] },
      digest: { window: '1s', maxEvents: 10 },
    },
  ],
});

let slackTriesBeforeText = 0;
dispatcher.on('delivery:delivered', ({ channel, eventType }) => {
  if (channel === 'sms' && eventType === 'code_scanning_alert.created') {
    slackTriesBeforeText = downSlack.requests.length;
  }
});

dispatcher.start();
const dispatched = await dispatcher.dispatchMany(githubEvents);
await until(isOver, { timeoutMs: 30_000 });
await dispatcher.stop();

const rows = (await Promise.all(dispatched.map(({ eventId }) => rowsOf(eventId)))).flat();
console.log(`\nPosthorn: ${githubEvents.length} GitHub events to 3 webhooks, ${rows.length} deliveries\n`);
console.table(rows);

const subjects = mail.messages.map((message) => message.mail.subject ?? '');
const digests = subjects.filter((subject) => /^\d+ events$/.test(subject));
console.log(`
  Slack took ${slack.messages.length} messages, the mail server ${subjects.length} mails, Twilio ${texts.messages.length} texts
  ${digests.length} of the mails was a digest: “${digests}”
  on call got a text when Slack had failed ${slackTriesBeforeText} times
`);

if (previews !== undefined) {
  await mkdir(previews, { recursive: true });
  await writeFile(join(previews, 'email.html'), `${mail.messages[0]!.mail.html}`);
  await writeFile(join(previews, 'slack.html'), slackPage('Posthorn', slack.messages[0]!.body));
}
await Promise.all([email.close(), slack.close(), downSlack.close(), mail.close(), texts.close()]);

const messages = [
  ...slack.messages.map(({ body }) => body.text),
  ...subjects,
  ...texts.messages.map(({ to, body }) => to + body),
];
const needless = rows.filter(({ channel, attempts }) => channel !== 'slack' && attempts !== 1);
if (messages.length !== 11 || new Set(messages).size !== messages.length || needless.length > 0) {
  console.error('✗ a message is missing, came twice, or was retried without need');
  process.exitCode = 1;
} else {
  console.log('✓ only what failed was retried, and no message came twice\n');
}

/** Whether all deliveries have ended. An escalation is created before the delivery that it waited for ends. */
async function isOver(): Promise<boolean> {
  const { items } = await dispatcher.deliveries.list({ status: ['pending', 'sending'], limit: 1 });
  return items.length === 0;
}

/** The results of an event, by channel. */
async function rowsOf(eventId: string) {
  const { items } = await dispatcher.deliveries.list({ eventId });
  return Promise.all(
    items.toReversed().map(async ({ id, eventType, channel, attempts, status }) => {
      const failures = (await dispatcher.deliveries.attempts(id))
        .filter(({ outcome }) => outcome !== 'delivered')
        .map((attempt) => `${attempt.status} ${attempt.response}`);
      const why = failures.length === 0 ? '' : ` after ${failures.length} × ${failures[0]}`;
      return { event: eventType, channel, attempts, result: status + why };
    }),
  );
}
