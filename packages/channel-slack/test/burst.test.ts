import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { slackStandIn } from '@posthorn/testing/slack-stand-in';
import { expect, onTestFinished, test } from 'vitest';
import { slackChannel } from '../src/index.js';

test('a burst of 60 messages arrives completely, at about the rate that Slack allows, and starts no escalation', async () => {
  let now = () => 0;
  const slack = await slackStandIn({ limitRate: true, now: () => now() });
  onTestFinished(() => slack.close());
  const sms = recordingChannel('sms');
  const posthorn = testDispatcher({ channels: [slackChannel(slack.channelOptions), sms] });
  now = posthorn.clock.now;
  await posthorn.webhooks.create({
    name: 'on call',
    eventTypes: ['*'],
    channels: [
      { channel: 'slack', configs: { webhook_url: slack.webhookUrl } },
      { channel: 'sms', configs: {}, onlyAfter: { channel: 'slack', failedAttempts: 1 } },
    ],
  });
  for (let i = 0; i < 60; i++) await posthorn.dispatch('disk.full', { i });
  await posthorn.advance('90s');
  expect(slack.messages).toHaveLength(60);
  expect(slack.requests.length).toBeLessThanOrEqual(100);
  expect(sms.attempts).toEqual([]);
  expect((await posthorn.deliveries.list({ limit: 100, status: ['delivered'] })).items).toHaveLength(60);
});
