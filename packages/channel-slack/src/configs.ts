import { type Channel, PosthornError } from '@posthorn/core';
import { checkedText, configsSchema } from '@posthorn/core/channel';
import type { JsonService } from '@posthorn/outbound';
import { z } from 'zod';
import { checkBlocksTemplate } from './blocks.js';

/**
 * The configs of a `slack` channel, for an incoming webhook or for a bot, with the field names of the REST API.
 * Optional fields may be null.
 */
export interface SlackConfigs {
  /** An incoming webhook: `https://hooks.slack.com/services/…`. */
  readonly webhook_url?: string | null | undefined;
  /**
   * The channel of a legacy webhook instead of its own: `#name` or `@name`. Slack ignores this field and the next three
   * for the webhook of an app.
   */
  readonly channel?: string | null | undefined;
  /** The name of the sender, on one line: at most 80 characters. */
  readonly username?: string | null | undefined;
  /** An emoji code like `:tada:`. */
  readonly icon_emoji?: string | null | undefined;
  /** The URL of a picture of the sender: `https:` or `http:`. */
  readonly icon_url?: string | null | undefined;
  /** A template that renders to a JSON array of blocks, which replace the default ones. */
  readonly blocks_template?: string | null | undefined;
  /** A bot token, `xoxb-…`, with the scope `chat:write`. */
  readonly bot_token?: string | null | undefined;
  /** The id of the conversation that the bot posts to: `C…`, not its name. */
  readonly channel_id?: string | null | undefined;
  /** The workspace of the token, `T…`. For people only; not sent to Slack. */
  readonly workspace_id?: string | null | undefined;
}

const ofWebhook = [
  'webhook_url',
  'channel',
  'username',
  'icon_emoji',
  'icon_url',
  'blocks_template',
] as const;
const ofBot = ['bot_token', 'channel_id', 'workspace_id'] as const;

/** The hosts of Slack's incoming webhooks. */
export const webhookHosts: readonly string[] = ['hooks.slack.com', 'hooks.slack-gov.com'];

const text = (max: number, pattern: RegExp, error: string): z.ZodType<string, string> =>
  z
    .string({ error: 'must be a string' })
    .max(max, { error: `must have at most ${max} characters` })
    .regex(pattern, {
      error,
    });

const line = /^[^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\s][^\p{Cc}\p{Cs}]*$/u;

/** Creates the schema that validates configs when a webhook is saved. Every issue has the path of its field. */
export function slackConfigs(webhooks: Pick<JsonService, 'checkUrl'>): Channel<SlackConfigs>['config'] {
  const fields = configsSchema('slack', {
    webhook_url: checkedText(async (url) => {
      await webhooks.checkUrl(url);
      checkPath(new URL(url));
    }).nullish(),
    channel: text(80, line, 'must be the name of a channel').nullish(),
    username: text(80, line, 'must be a name on one line').nullish(),
    icon_emoji: text(120, /^:[^\s:]+:(:skin-tone-[2-6]:)?$/, 'must be an emoji like :tada:').nullish(),
    icon_url: text(2048, /^https?:\/\/[^\s\p{Cc}]+$/u, 'must be a URL of http: or https:').nullish(),
    blocks_template: checkedText(checkBlocksTemplate).nullish(),
    bot_token: text(512, /^xox[\x21-\x7e]{5,}$/, "must be a bot's token, like xoxb-…").nullish(),
    channel_id: text(32, /^[A-Z][A-Z0-9]{2,}$/, 'must be the id of a conversation, like C024BE91L').nullish(),
    workspace_id: text(32, /^[TE][A-Z0-9]{2,}$/, 'must be the id of a workspace, like T024BE7LD').nullish(),
  });
  return fields.superRefine(checkForm);
}

/** Checks the path of a URL on Slack's own hosts. Other allowed hosts may have other paths. */
function checkPath({ hostname, pathname }: URL): void {
  if (!webhookHosts.includes(hostname) || /^\/services\/[^/]+\/[^/]+\/[^/]+$/.test(pathname)) return;
  const message =
    'must be an incoming webhook, https://hooks.slack.com/services/…, not a webhook of a workflow';
  throw new PosthornError('url_invalid', `url ${message}`, { issues: [{ path: [], message }] });
}

/** Checks that the configs have the fields of one form only. */
function checkForm(configs: SlackConfigs, context: z.RefinementCtx): void {
  const has = (field: keyof SlackConfigs): boolean => (configs[field] ?? null) !== null;
  const refuse = (field: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message });
  const isBot = !has('webhook_url') && ofBot.some(has);
  if (isBot) {
    if (!has('bot_token')) refuse('bot_token', 'is required with channel_id');
    if (!has('channel_id')) refuse('channel_id', 'is required with bot_token');
  } else if (!has('webhook_url')) {
    refuse('webhook_url', 'is required, unless bot_token and channel_id are given');
  }
  for (const field of isBot ? ofWebhook : ofBot) {
    if (!has(field)) continue;
    refuse(
      field,
      isBot
        ? 'is allowed with webhook_url only, not with bot_token'
        : 'is allowed with bot_token only, not with webhook_url',
    );
  }
}
