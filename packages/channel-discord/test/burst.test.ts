import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { discordStandIn } from '@posthorn/testing/discord-stand-in';
import { expect, onTestFinished, test } from 'vitest';
import { discordChannel } from '../src/index.js';

test('a burst of 60 messages arrives completely, at about the rate that Discord allows, and starts no escalation', async () => {
  let now = () => 0;
  const discord = await discordStandIn({ limitRate: true, now: () => now() });
  onTestFinished(() => discord.close());
  const sms = recordingChannel('sms');
  const posthorn = testDispatcher({ channels: [discordChannel(discord.channelOptions), sms] });
  now = posthorn.clock.now;
  await posthorn.webhooks.create({
    name: 'on call',
    eventTypes: ['*'],
    channels: [
      { channel: 'discord', configs: { webhook_url: discord.webhookUrl } },
      { channel: 'sms', configs: {}, onlyAfter: { channel: 'discord', failedAttempts: 1 } },
    ],
  });
  for (let i = 0; i < 60; i++) await posthorn.dispatch('disk.full', { i });
  await posthorn.advance('40s');
  expect(discord.messages).toHaveLength(60);
  expect(discord.requests.length).toBeLessThanOrEqual(100);
  expect(sms.attempts).toEqual([]);
  expect((await posthorn.deliveries.list({ limit: 100, status: ['delivered'] })).items).toHaveLength(60);
});
