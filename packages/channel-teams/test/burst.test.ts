import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { teamsStandIn } from '@posthorn/testing/teams-stand-in';
import { expect, onTestFinished, test } from 'vitest';
import { teamsChannel } from '../src/index.js';

test('a burst of 60 messages arrives completely, at about the rate that Teams allows, and starts no escalation', async () => {
  let now = () => 0;
  const teams = await teamsStandIn({ limitRate: true, now: () => now() });
  onTestFinished(() => teams.close());
  const sms = recordingChannel('sms');
  const posthorn = testDispatcher({ channels: [teamsChannel(teams.channelOptions), sms] });
  now = posthorn.clock.now;
  await posthorn.webhooks.create({
    name: 'on call',
    eventTypes: ['*'],
    channels: [
      { channel: 'teams', configs: { workflow_url: teams.workflowUrl } },
      { channel: 'sms', configs: {}, onlyAfter: { channel: 'teams', failedAttempts: 1 } },
    ],
  });
  for (let i = 0; i < 60; i++) await posthorn.dispatch('disk.full', { i });
  await posthorn.advance('30s');
  expect(teams.messages).toHaveLength(60);
  expect(teams.requests.length).toBeLessThanOrEqual(100);
  expect(sms.attempts).toEqual([]);
  expect((await posthorn.deliveries.list({ limit: 100, status: ['delivered'] })).items).toHaveLength(60);
});
