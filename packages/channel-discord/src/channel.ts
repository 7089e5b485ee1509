import { type Channel, PosthornError } from '@posthorn/core';
import {
  checkedText,
  configsSchema,
  gone,
  type Message,
  rateLimited,
  rejected,
} from '@posthorn/core/channel';
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

/** The configs of a `discord` channel, with the field names of the REST API. Optional fields may be null. */
export interface DiscordConfigs {
  /** A webhook of a Discord channel: `https://discord.com/api/webhooks/…`. */
  readonly webhook_url: string;
  /** Replaces the webhook's own name. */
  readonly username?: string | null | undefined;
  /** The URL of a picture that replaces the webhook's own: `https:` or `http:`. */
  readonly avatar_url?: string | null | undefined;
  /** A template that renders to text in Discord's Markdown, which replaces the embed. Values are escaped. */
  readonly content_template?: string | null | undefined;
}

/** Options of `discordChannel`. */
export type DiscordChannelOptions = JsonServiceOptions;

const hosts = ['discord.com', 'discordapp.com', 'ptb.discord.com', 'canary.discord.com'];

const maxContent = 2_000;

/**
 * Creates the `discord` channel: it posts each event as an embed, or as the text of a template, through a webhook. A
 * message notifies no user or role. Throws `invalid_option`.
 */
export function discordChannel(options: DiscordChannelOptions = {}): Channel<DiscordConfigs, 'discord'> {
  const discord = jsonService('discordChannel', hosts, options);
  return {
    type: 'discord',
    secretPaths: [['webhook_url']],
    supportsDigests: true,
    config: configsSchema('discord', {
      webhook_url: checkedText(discord.checkUrl),
      username: z
        .string({ error: 'must be a string' })
        .regex(/^(?!.*(clyde|discord))\S(.{0,78}\S)?$/i, {
          error: 'must have 1 to 80 characters, and contain neither clyde nor discord',
        })
        .nullish(),
      avatar_url: z
        .string({ error: 'must be a string' })
        .regex(/^https?:\/\/[!-~]{1,2000}$/, { error: 'must be a URL of http: or https:' })
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

/** Adds `wait`. Without it, Discord reports no error if a message is not saved (Discord, "Execute Webhook"). */
function waitingFor(url: string): string {
  if (!URL.canParse(url)) return url;
  const waiting = new URL(url);
  waiting.searchParams.set('wait', 'true');
  return waiting.href;
}

/** Builds the request body. Throws `invalid_template`. */
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
  throw new PosthornError('invalid_template', 'content_template renders to an empty text');
}

/** Unknown webhook, invalid webhook token. Source: Discord, "Opcodes and Status Codes". */
const goneCodes: ReadonlySet<unknown> = new Set([10015, 50027]);

/** The wait after a 429 that names no time. */
const usualWaitMs = 1_000;

const discordVerdict: ReadAnswer = (answer, { code, retry_after }) => {
  const { status, body: response } = answer;
  const report = { status, response };
  if (goneCodes.has(code)) return gone('http_status', `Discord answered ${status}: no such webhook`, report);
  // Discord's errors have a code. A response without one is from another server, e.g. a proxy.
  const isOwn = typeof code === 'number';
  if (isOwn && (status === 400 || status === 413)) {
    return rejected('http_status', `Discord answered ${status}`, report);
  }
  if (status === 429) {
    const hasWait = typeof retry_after === 'number' && retry_after >= 0;
    const headerMs = retryAfterMs(answer.headers['retry-after']) ?? usualWaitMs;
    const waitMs = hasWait ? Math.ceil(retry_after * 1_000) : headerMs;
    return rateLimited(waitMs, 'Discord answered 429: too many messages', report);
  }
  return strangersVerdict(answer);
};
