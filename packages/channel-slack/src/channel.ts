import { type Channel, PosthornError } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import { type JsonServiceOptions, jsonService } from '@posthorn/outbound';
import { writeJson } from '@posthorn/template';
import { methodVerdict, webhookVerdict } from './answers.js';
import { renderedBlocks } from './blocks.js';
import { clientMessageId } from './client-message-id.js';
import { type SlackConfigs, slackConfigs, webhookHosts } from './configs.js';
import { defaultBlocks, fallbackText } from './default-message.js';

/** Options of `slackChannel`. */
export interface SlackChannelOptions extends JsonServiceOptions {
  /**
   * The base URL of the Web API. Default `https://slack.com/api`. Use `https://slack-gov.com/api` for GovSlack, or the
   * URL of a stand-in. The client still checks its addresses.
   */
  readonly apiUrl?: string;
}

/**
 * Creates the `slack` channel, which posts through an incoming webhook, or as a bot through `chat.postMessage`. A
 * message shows the event's type, subject and first fields, or the blocks of the webhook's template. Throws
 * `invalid_option`.
 */
export function slackChannel(options: SlackChannelOptions = {}): Channel<SlackConfigs, 'slack'> {
  const { apiUrl = 'https://slack.com/api', ...others } = Object(options) as SlackChannelOptions;
  const isObject = typeof options === 'object' && options !== null;
  const webhooks = jsonService('slackChannel', webhookHosts, isObject ? others : options);
  const methodUrl = `${apiUrl}/chat.postMessage`;
  if (typeof apiUrl !== 'string' || !URL.canParse(methodUrl) || apiUrl.endsWith('/')) {
    throw new PosthornError('invalid_option', 'apiUrl must be a URL without a trailing slash');
  }
  const { outbound } = webhooks;
  const methods = jsonService('slackChannel', [], { outbound, hosts: [new URL(methodUrl).hostname] });

  return {
    type: 'slack',
    secretPaths: [['webhook_url'], ['bot_token']],
    supportsDigests: true,
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

/** Builds the request body, without fields that depend on the attempt. Throws `invalid_template`. */
function bodyOf(message: Message<SlackConfigs>): Readonly<Record<string, unknown>> {
  const { webhook_url, blocks_template, channel_id, channel, username, icon_emoji, icon_url } =
    message.configs;
  const blocks = blocks_template ? renderedBlocks(blocks_template, message) : defaultBlocks(message);
  const looks = webhook_url ? { channel, username, icon_emoji, icon_url } : { channel: channel_id };
  return {
    ...Object.fromEntries(Object.entries(looks).filter(([, value]) => (value ?? null) !== null)),
    text: fallbackText(message),
    // Applies to `text`. Each text object in the blocks sets its own format.
    mrkdwn: false,
    ...(blocks.length > 0 && { blocks }),
    unfurl_links: false,
    unfurl_media: false,
  };
}
