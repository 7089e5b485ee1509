import { createOutbound } from '@posthorn/outbound';
import { type Answer, channelConformance, type Received } from '@posthorn/testing';
import { type StandInAnswer, slackStandIn, type Trouble } from '@posthorn/testing/slack-stand-in';
import { describe, test } from 'vitest';
import { slackChannel } from '../src/index.js';

/** The error words of the stand-in. */
const errors: Partial<Record<Answer, string>> = { gone: 'channel_not_found', refusal: 'invalid_blocks' };

const troubles: Partial<Record<Answer, StandInAnswer | Trouble>> = {
  failure: { status: 500, body: 'rollup_error' },
  echo: 'echo',
  hangup: 'hangup',
  never: 'never',
  flood: { status: 200, body: `{"ok":true,"message":"${'x'.repeat(1024 * 1024)}"}` },
};

channelConformance({
  runner: { describe, test },
  async open() {
    const slack = await slackStandIn();
    const outbound = createOutbound(slack.channelOptions.outbound);
    const { webhookUrl: webhook_url, botToken: bot_token, channelId: channel_id } = slack;
    return {
      channel: slackChannel({ ...slack.channelOptions, outbound }),
      configs: [
        { webhook_url },
        { bot_token, channel_id, workspace_id: 'T0STANDIN' },
        {
          webhook_url,
          channel: '#orders',
          username: 'Shop',
          icon_emoji: ':tada:',
          icon_url: 'https://shop.example/icon.png',
          blocks_template:
            '[{"type":"section","text":{"type":"mrkdwn","text":"{{ event_type }} {{ event_id }}"}}]',
        },
        { bot_token, channel_id, workspace_id: null, webhook_url: null, username: null },
      ],
      secrets: [bot_token, bot_token.split('-').at(-1)!, new URL(webhook_url).pathname],
      answer(how, seconds = 1) {
        const limited = { status: 429, headers: { 'retry-after': String(seconds) }, body: 'rate_limited' };
        const trouble = how === 'rate_limited' ? limited : troubles[how];
        slack.answerNext(trouble ?? 'never', trouble ? Number.POSITIVE_INFINITY : 0);
        slack.failNext(errors[how] ?? '', how in errors ? Number.POSITIVE_INFINITY : 0);
      },
      received: (): Received[] =>
        slack.requests.map(({ body }) => {
          // Unique per message, so that Slack recognizes a repetition.
          const { client_msg_id: _, ...shown } = JSON.parse(body);
          return {
            eventId: /evt_[0-9A-Za-z]{22}/.exec(body)?.[0] ?? '',
            parts: { text: shown.text, body: JSON.stringify(shown) },
          };
        }),
      async close() {
        await outbound.close();
        await slack.close();
      },
    };
  },
  skip: {
    'send/the payload reaches the receiver unchanged':
      'a message is for people and shows the first fields, cut to the limits of Slack',
  },
});
