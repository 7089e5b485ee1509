import { type Channel, checkedText, configsSchema, PosthornError } from '@posthorn/core';
import type { JsonService } from '@posthorn/outbound';
import { z } from 'zod';
import { checkBlocksTemplate } from './blocks.js';

/** The configs of a `slack` channel, named as on the wire: of an incoming webhook, or of a bot. Optional fields may be null. */
export interface SlackConfigs {
  /** An incoming webhook: `https://hooks.slack.com/services/…`. */
  readonly webhook_url?: string | null | undefined;
  /** Where a legacy webhook posts instead of its own channel: `#name` or `@name`. Slack ignores it, and the next three, for an app's. */
  readonly channel?: string | null | undefined;
  readonly username?: string | null | undefined;
  /** Like `:tada:`. */
  readonly icon_emoji?: string | null | undefined;
  readonly icon_url?: string | null | undefined;
  /** Renders to a JSON array of blocks, which take the place of the default ones. */
  readonly blocks_template?: string | null | undefined;
  /** A bot's token, `xoxb-…`, with `chat:write`. */
  readonly bot_token?: string | null | undefined;
  /** Where the bot posts: the id of a conversation, `C…`, not its name. */
  readonly channel_id?: string | null | undefined;
  /** The workspace of the token, `T…`; for people, Slack is not told. */
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

/** The hosts on which Slack's own incoming webhooks are. */
export const webhookHosts: readonly string[] = ['hooks.slack.com', 'hooks.slack-gov.com'];

const text = (max: number, pattern: RegExp, error: string): z.ZodType<string> =>
  z
    .string({ error: 'must be a string' })
    .max(max, { error: `must have at most ${max} characters` })
    .regex(pattern, {
      error,
    });

const line = /^[^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\s][^\p{Cc}\p{Cs}]*$/u;

/** The schema that judges configs when a webhook is saved; every issue names its field. */
export function slackConfigs(webhooks: Pick<JsonService, 'checkUrl'>): Channel<SlackConfigs>['config'] {
  const fields = configsSchema('slack', {
    webhook_url: checkedText(async (url) => {
      await webhooks.checkUrl(url);
      checkPath(new URL(url));
    }).nullish(),
    channel: text(80, line, 'must be the name of a channel').nullish(),
    username: text(80, line, 'must be a name on one line').nullish(),
    icon_emoji: text(120, /^:[^\s:]+:(:skin-tone-[2-6]:)?$/, 'must be an emoji like :tada:').nullish(),
    icon_url: text(2048, /^https?:\/\/[^\s\p{Cc}]+$/u, 'must be an address of http or https').nullish(),
    blocks_template: checkedText(checkBlocksTemplate).nullish(),
    bot_token: text(512, /^xox[\x21-\x7e]{5,}$/, "must be a bot's token, like xoxb-…").nullish(),
    channel_id: text(32, /^[A-Z][A-Z0-9]{2,}$/, 'must be the id of a conversation, like C024BE91L').nullish(),
    workspace_id: text(32, /^[TE][A-Z0-9]{2,}$/, 'must be the id of a workspace, like T024BE7LD').nullish(),
  });
  return fields.superRefine(checkForm);
}

/** Of Slack's own hosts; what else the application allows has paths of its own. */
function checkPath({ hostname, pathname }: URL): void {
  if (!webhookHosts.includes(hostname) || /^\/services\/[^/]+\/[^/]+\/[^/]+$/.test(pathname)) return;
  const message =
    'must be an incoming webhook, https://hooks.slack.com/services/…, and not one of a workflow';
  throw new PosthornError('url_invalid', `url ${message}`, { issues: [{ path: [], message }] });
}

/** Either form, and nothing of the other. */
function checkForm(configs: SlackConfigs, context: z.RefinementCtx): void {
  const has = (field: keyof SlackConfigs): boolean => (configs[field] ?? null) !== null;
  const tell = (field: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message });
  const isBot = !has('webhook_url') && ofBot.some(has);
  if (isBot) {
    if (!has('bot_token')) tell('bot_token', 'is required with channel_id');
    if (!has('channel_id')) tell('channel_id', 'is required with bot_token');
  } else if (!has('webhook_url')) {
    tell('webhook_url', 'is required; or else bot_token and channel_id');
  }
  for (const field of isBot ? ofWebhook : ofBot) {
    if (!has(field)) continue;
    tell(
      field,
      isBot ? 'goes with webhook_url, not with bot_token' : 'goes with bot_token, not with webhook_url',
    );
  }
}
