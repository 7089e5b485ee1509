import { type Channel, type Message, PosthornError } from '@posthorn/core';
import { type JsonServiceOptions, jsonService } from '@posthorn/outbound';
import { writeJson } from '@posthorn/template';
import { methodVerdict, webhookVerdict } from './answers.js';
import { renderedBlocks } from './blocks.js';
import { clientMessageId } from './client-message-id.js';
import { type SlackConfigs, slackConfigs, webhookHosts } from './configs.js';
import { defaultBlocks, fallbackText } from './default-message.js';

export interface SlackChannelOptions extends JsonServiceOptions {
  /**
   * Where the methods of the Web API are. Default `https://slack.com/api`; `https://slack-gov.com/api` for GovSlack, or a
   * stand-in's. The client judges where it leads.
   */
  readonly apiUrl?: string;
}

/**
 * The `slack` channel: a message through an incoming webhook, or by a bot through `chat.postMessage`, of the event's type,
 * subject and first fields, or of the blocks that the webhook's template renders to. Throws `invalid_option`.
 */
export function slackChannel(options: SlackChannelOptions = {}): Channel<SlackConfigs> {
  const { apiUrl = 'https://slack.com/api', ...others } = Object(options) as SlackChannelOptions;
  const isObject = typeof options === 'object' && options !== null;
  const webhooks = jsonService('slackChannel', webhookHosts, isObject ? others : options);
  const methodUrl = `${apiUrl}/chat.postMessage`;
  if (typeof apiUrl !== 'string' || !URL.canParse(methodUrl) || apiUrl.endsWith('/')) {
    throw new PosthornError('invalid_option', 'apiUrl must be an URL without a slash at its end');
  }
  const { outbound } = webhooks;
  const methods = jsonService('slackChannel', [], { outbound, hosts: [new URL(methodUrl).hostname] });

  return {
    type: 'slack',
    secretPaths: [['webhook_url'], ['bot_token']],
    takesDigests: true,
    config: slackConfigs(webhooks),

    async preview(message) {
      return [
        { name: 'text', type: 'text/plain', text: fallbackText(message) },
        { name: 'body', type: 'application/json', text: writeJson(bodyOf(message), 2) },
      ];
    },

    async send(message, signal) {
      const { webhook_url, bot_token } = message.configs;
      const body = () => bodyOf(message);
      const write = writeJson;
      if (webhook_url) return webhooks.post({ url: webhook_url, body, write, signal }, webhookVerdict);
      const token = bot_token ?? '';
      return methods.post(
        {
          url: methodUrl,
          body: () => ({ ...body(), client_msg_id: clientMessageId(message) }),
          write,
          headers: { authorization: `Bearer ${token}` },
          secrets: token.split('-').filter(({ length }) => length >= 16),
          signal,
        },
        methodVerdict,
      );
    },
  };
}

/** What is sent of a message, but for what only the attempt knows. Throws `invalid_template`. */
function bodyOf(message: Message<SlackConfigs>): Readonly<Record<string, unknown>> {
  const { webhook_url, blocks_template, channel_id, channel, username, icon_emoji, icon_url } =
    message.configs;
  const blocks = blocks_template ? renderedBlocks(blocks_template, message) : defaultBlocks(message);
  const looks = webhook_url ? { channel, username, icon_emoji, icon_url } : { channel: channel_id };
  return {
    ...Object.fromEntries(Object.entries(looks).filter(([, value]) => (value ?? null) !== null)),
    text: fallbackText(message),
    // Of the text; blocks say for themselves what is formatted.
    mrkdwn: false,
    ...(blocks.length > 0 && { blocks }),
    unfurl_links: false,
    unfurl_media: false,
  };
}
