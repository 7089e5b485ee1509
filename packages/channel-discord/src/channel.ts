import {
  busy,
  type Channel,
  checkedText,
  configsSchema,
  gone,
  type Message,
  PosthornError,
  rejected,
} from '@posthorn/core';
import {
  type JsonServiceOptions,
  jsonService,
  type ReadAnswer,
  retryAfterMs,
  strangersVerdict,
} from '@posthorn/outbound';
import { contextOf, cutText, parseTemplate, templateField, writeJson } from '@posthorn/template';
import { z } from 'zod';
import { defaultEmbed } from './embed.js';

/** The configs of a `discord` channel. Optional fields may be null. */
export interface DiscordConfigs {
  /** A webhook of a Discord channel: `https://discord.com/api/webhooks/…`. */
  readonly webhook_url: string;
  /** Takes the place of the webhook's own name. */
  readonly username?: string | null | undefined;
  readonly avatar_url?: string | null | undefined;
  /** Renders to a text in Discord's Markdown, which takes the place of the embed. Values are escaped. */
  readonly content_template?: string | null | undefined;
}

export type DiscordChannelOptions = JsonServiceOptions;

const hosts = ['discord.com', 'discordapp.com', 'ptb.discord.com', 'canary.discord.com'];

const maxContent = 2_000;

/** The `discord` channel: an embed of each event through a webhook, or a text, that pings nobody. Throws `invalid_option`. */
export function discordChannel(options: DiscordChannelOptions = {}): Channel<DiscordConfigs> {
  const discord = jsonService('discordChannel', hosts, options);
  return {
    type: 'discord',
    secretPaths: [['webhook_url']],
    takesDigests: true,
    config: configsSchema('discord', {
      webhook_url: checkedText(discord.checkUrl),
      username: z
        .string({ error: 'must be a string' })
        .regex(/^(?!.*(clyde|discord))\S(.{0,78}\S)?$/i, {
          error: 'must have 1 to 80 characters, and neither clyde nor discord among them',
        })
        .nullish(),
      avatar_url: z
        .string({ error: 'must be a string' })
        .regex(/^https?:\/\/[!-~]{1,2000}$/, { error: 'must be an address of http or https' })
        .nullish(),
      content_template: templateField('markdown').nullish(),
    }),

    async preview(message) {
      return [{ name: 'body', type: 'application/json', text: writeJson(bodyOf(message), 2) }];
    },

    send(message, signal) {
      const url = waitingFor(message.configs.webhook_url);
      return discord.post({ url, body: () => bodyOf(message), write: writeJson, signal }, discordVerdict);
    },
  };
}

/** Unless one waits, it is no error that a message is not kept (Discord, "Execute Webhook"). */
function waitingFor(url: string): string {
  if (!URL.canParse(url)) return url;
  const waiting = new URL(url);
  waiting.searchParams.set('wait', 'true');
  return waiting.href;
}

/** Throws `invalid_template`. */
function bodyOf(message: Message<DiscordConfigs>): unknown {
  const { username, avatar_url, content_template } = message.configs;
  return {
    ...(content_template
      ? { content: contentOf(content_template, message) }
      : { embeds: [defaultEmbed(message)] }),
    ...(username && { username }),
    ...(avatar_url && { avatar_url }),
    allowed_mentions: { parse: [] },
  };
}

function contentOf(template: string, message: Message): string {
  const content = parseTemplate(template, 'markdown').render(contextOf(message)).trim();
  if (content !== '') return cutText(content, maxContent);
  throw new PosthornError('invalid_template', 'content_template renders to nothing');
}

/** Unknown webhook, invalid webhook token. Source: Discord, "Opcodes and Status Codes". */
const goneCodes: ReadonlySet<unknown> = new Set([10015, 50027]);

/** Where a 429 does not say how long. */
const usualWaitMs = 1_000;

const discordVerdict: ReadAnswer = (answer, { code, retry_after }) => {
  const { status, body: response } = answer;
  const report = { status, response };
  if (goneCodes.has(code)) return gone('http_status', `Discord answered ${status}: no such webhook`, report);
  // Its errors have codes; without one it is somebody else's page.
  const isOwn = typeof code === 'number';
  if (isOwn && (status === 400 || status === 413)) {
    return rejected('http_status', `Discord answered ${status}`, report);
  }
  if (status === 429) {
    const isTold = typeof retry_after === 'number' && retry_after >= 0;
    const headerMs = retryAfterMs(answer.headers['retry-after']) ?? usualWaitMs;
    const waitMs = isTold ? Math.ceil(retry_after * 1_000) : headerMs;
    return busy(waitMs, 'Discord answered 429: too many messages', report);
  }
  return strangersVerdict(answer);
};
