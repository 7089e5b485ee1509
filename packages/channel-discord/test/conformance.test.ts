import { createOutbound } from '@posthorn/outbound';
import { type Answer, channelConformance, type Received } from '@posthorn/testing';
import { discordStandIn, type StandInAnswer, type Trouble } from '@posthorn/testing/discord-stand-in';
import { describe, test } from 'vitest';
import { discordChannel } from '../src/index.js';

const troubles: Partial<Record<Answer, StandInAnswer | Trouble>> = {
  failure: { status: 500, body: '{"message":"500: Internal Server Error","code":0}' },
  refusal: { status: 200, body: '<html><body>Blocked by the proxy</body></html>' },
  gone: { status: 404, body: '{"message":"Unknown Webhook","code":10015}' },
  echo: 'echo',
  hangup: 'hangup',
  never: 'never',
  flood: { status: 200, body: `{"content":"${'x'.repeat(1024 * 1024)}"}` },
};

channelConformance({
  runner: { describe, test },
  async open() {
    const discord = await discordStandIn();
    const outbound = createOutbound(discord.channelOptions.outbound);
    const { webhookUrl: webhook_url } = discord;
    return {
      channel: discordChannel({ ...discord.channelOptions, outbound }),
      configs: [
        { webhook_url },
        { webhook_url, username: 'Shop', avatar_url: 'https://shop.example/icon.png' },
        { webhook_url, content_template: 'New: {{ event_type }}', username: null, avatar_url: null },
      ],
      secrets: [new URL(webhook_url).pathname, new URL(webhook_url).pathname.split('/').at(-1)!],
      answer(how, seconds = 1) {
        const limited = {
          status: 429,
          body: JSON.stringify({
            message: 'You are being rate limited.',
            retry_after: seconds,
            global: false,
          }),
        };
        const trouble = how === 'rate_limited' ? limited : troubles[how];
        discord.answerNext(trouble ?? 'never', trouble ? Number.POSITIVE_INFINITY : 0);
      },
      received: (): Received[] =>
        discord.requests.map(({ body }) => ({
          eventId: /evt_[0-9A-Za-z]{22}/.exec(body)?.[0] ?? '',
          parts: { body },
        })),
      async close() {
        await outbound.close();
        await discord.close();
      },
    };
  },
  skip: {
    'send/the payload reaches the receiver unchanged':
      'an embed is for people and shows the first fields, cut to the limits of Discord',
  },
});
