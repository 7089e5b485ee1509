import {
  type HttpStandIn,
  httpStandIn,
  jsonAnswer,
  jsonBody,
  type StandInAnswer,
} from '../http-stand-in/server.js';
import { formFaults, isEmptyMessage } from './limits.js';

/** Options of `discordStandIn`. */
export interface DiscordStandInOptions {
  /** Whether the webhook accepts five messages in two seconds and answers 429 to more. Default false. */
  readonly limitRate?: boolean;
  /** The clock of the rate limit, in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

/** An accepted message. */
export interface DiscordStandInMessage {
  /** The parsed body of the request. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The mentions that ping: `@everyone`, `@here`, `<@1>`, `<@&1>`. Mentions in embeds do not. */
  readonly pings: readonly string[];
}

/** A stand-in for Discord on 127.0.0.1. */
export interface DiscordStandIn extends HttpStandIn {
  readonly webhookUrl: string;
  /** The accepted messages, in order. */
  readonly messages: readonly DiscordStandInMessage[];
  /** Deletes the webhook: from now on it answers 404, code 10015. */
  removeWebhook(): void;
}

const maxPerWindow = 5;
const windowMs = 2_000;

/** Without `allowed_mentions` all mentions of the content ping; otherwise those of the kinds in its `parse`. */
function pingsOf({ content, allowed_mentions }: Readonly<Record<string, unknown>>): readonly string[] {
  const { parse = [] } = (allowed_mentions ?? { parse: ['everyone', 'users', 'roles'] }) as {
    parse?: string[];
  };
  const kindOf = (mention: string): string =>
    mention.startsWith('<@&') ? 'roles' : mention.startsWith('<') ? 'users' : 'everyone';
  const mentions = String(content ?? '').match(/@everyone|@here|<@[!&]?\d+>/g) ?? [];
  return mentions.filter((mention) => parse.includes(kindOf(mention)));
}

/**
 * Serves Discord's "Execute Webhook" on 127.0.0.1, as far as it is documented, for messages of content and embeds in
 * JSON.
 */
export async function discordStandIn(options: DiscordStandInOptions = {}): Promise<DiscordStandIn> {
  const { limitRate = false, now = Date.now } = options;
  const id = '1000000000000000001';
  const path = `/api/webhooks/${id}/${'standIn-standIn_'.repeat(4)}`;
  const messages: DiscordStandInMessage[] = [];
  let takenAt: number[] = [];
  let isRemoved = false;

  function limited(): StandInAnswer | undefined {
    takenAt = takenAt.filter((at) => at > now() - windowMs);
    if (!limitRate || takenAt.length < maxPerWindow) return undefined;
    const retry_after = (takenAt[0]! + windowMs - now()) / 1_000;
    const body = { message: 'You are being rate limited.', retry_after, global: false };
    return jsonAnswer(429, body, {
      'retry-after': String(Math.ceil(retry_after)),
      'x-ratelimit-scope': 'shared',
    });
  }

  const server = await httpStandIn((request) => {
    const [called, query = ''] = request.path.split('?');
    if (isRemoved || !called!.startsWith(`/api/webhooks/${id}/`)) {
      return jsonAnswer(404, { message: 'Unknown Webhook', code: 10015 });
    }
    if (called !== path) return jsonAnswer(401, { message: 'Invalid Webhook Token', code: 50027 });
    if (request.method !== 'POST') return jsonAnswer(405, { message: '405: Method Not Allowed', code: 0 });
    const tooMany = limited();
    if (tooMany) return tooMany;
    const body = jsonBody(request);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      return jsonAnswer(400, { message: 'The request body contains invalid JSON.', code: 50109 });
    }
    const fields = body as Readonly<Record<string, unknown>>;
    if (isEmptyMessage(fields))
      return jsonAnswer(400, { message: 'Cannot send an empty message', code: 50006 });
    const errors = formFaults(fields);
    if (errors.length > 0) return jsonAnswer(400, { message: 'Invalid Form Body', code: 50035, errors });
    takenAt.push(now());
    messages.push({ body: fields, pings: pingsOf(fields) });
    const isWaited = new URLSearchParams(query).get('wait') === 'true';
    return isWaited ? jsonAnswer(200, { id: String(messages.length), ...fields }) : { status: 204 };
  });

  return {
    ...server,
    webhookUrl: server.origin + path,
    messages,
    removeWebhook() {
      isRemoved = true;
    },
  };
}
