import type { Channel } from '@posthorn/core';
import { configsSchema, type Message, rateLimited } from '@posthorn/core/channel';
import {
  type JsonServiceOptions,
  jsonService,
  type ReadAnswer,
  retryAfterMs,
  strangersVerdict,
} from '@posthorn/outbound';
import { contextOf, parseTemplate, templateField } from '@posthorn/template';
import { z } from 'zod';

const configs = configsSchema('ntfy', {
  topic: z.string().regex(/^[-\w]{1,64}$/, { error: 'must be 1 to 64 letters, digits, - or _' }),
  message_template: templateField('plain').nullish(),
});
type NtfyConfigs = z.infer<typeof configs>;

/** Pushes events to the phones that follow a topic of ntfy: https://docs.ntfy.sh/publish/#publish-as-json */
export function ntfyChannel(
  url = 'https://ntfy.sh/',
  options: JsonServiceOptions = {},
): Channel<NtfyConfigs, 'ntfy'> {
  const ntfy = jsonService('ntfyChannel', ['ntfy.sh'], options);
  return {
    type: 'ntfy',
    config: configs,
    secretPaths: [['topic']], // anyone who knows a topic can follow it
    supportsDigests: true,
    async send(message, signal) {
      const { topic } = message.configs;
      const body = () => ({ topic, title: message.webhook.name, message: textOf(message) });
      return ntfy.post({ url, body, signal }, ntfyVerdict);
    },
    async preview(message) {
      return [{ name: 'message', type: 'text/plain', text: textOf(message) }];
    },
  };
}

const ntfyVerdict: ReadAnswer = (answer) => {
  const { status, headers, body: response } = answer;
  if (status !== 429) return strangersVerdict(answer); // 2xx without an HTML page is delivered, the rest failed
  const waitMs = retryAfterMs(headers['retry-after']) ?? 5_000; // ntfy refills one request every five seconds
  return rateLimited(waitMs, 'ntfy answered 429: too many messages', { status, response });
};

function textOf(message: Message<NtfyConfigs>): string {
  const { configs, digest = [message] } = message;
  if (configs.message_template != null) {
    return parseTemplate(configs.message_template, 'plain').render(contextOf(message));
  }
  return digest.map(({ event }) => `${event.type} ${event.subject?.id ?? ''}`.trim()).join('\n');
}
