import {
  type HttpStandIn,
  httpStandIn,
  jsonAnswer,
  jsonBody,
  type StandInAnswer,
  type StandInChannelOptions,
  type StandInRequest,
} from '../http-stand-in/server.js';
import { areTooLong, blocksFaults, textsOf } from './blocks.js';
import { apiStatus, webhookStatus } from './errors.js';
import { type SlackLink, slackMarkup } from './markup.js';

/** Options of `slackStandIn`. */
export interface SlackStandInOptions {
  /** Whether a channel accepts one message a second and answers 429 to more. Default false. */
  readonly limitRate?: boolean;
  /** The clock of the rate limit, in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

/** An accepted message. */
export interface SlackStandInMessage {
  /** The id of its channel. */
  readonly channel: string;
  readonly ts: string;
  /** The parsed body of the request. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The mentions in its text and its blocks. */
  readonly mentions: readonly string[];
  /** The links in its text and its blocks. */
  readonly links: readonly SlackLink[];
}

/** A stand-in for Slack on 127.0.0.1. */
export interface SlackStandIn extends HttpStandIn {
  /** Options for `slackChannel` that lead to the stand-in. */
  readonly channelOptions: StandInChannelOptions & { readonly apiUrl: string };
  /** The URL of an incoming webhook that posts to `channelId`. */
  readonly webhookUrl: string;
  /** A token that may post to `channelId` with `chat.postMessage`. */
  readonly botToken: string;
  readonly channelId: string;
  /** The accepted messages, in order. */
  readonly messages: readonly SlackStandInMessage[];
  /**
   * Answers the next requests with an error of Slack's, in the form of the API that they use. Default: one request.
   */
  failNext(error: string, times?: number): void;
  /** Archives the channel. Errors from now on: `channel_is_archived`, `is_archived`. */
  archiveChannel(): void;
  /** Revokes the token. Error from now on: `token_revoked`. */
  revokeToken(): void;
  /** Removes the incoming webhook. Error from now on: `no_service`. */
  removeWebhook(): void;
}

const maxTextLength = 40_000;
const maxAttachments = 100;

/** What is wrong with a request: Slack's error code, and its explanations where it gives any. */
interface Refusal {
  readonly error: string;
  readonly details?: readonly string[];
  readonly retryAfterSeconds?: number;
}

/** How one of the two APIs refuses. */
type Refuse = (refusal: Refusal) => StandInAnswer;

const retryAfter = ({ retryAfterSeconds }: Refusal): Readonly<Record<string, string>> =>
  retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };

const refuseWebhook: Refuse = (refusal) => ({
  status: webhookStatus(refusal.error),
  headers: { 'content-type': 'text/html', ...retryAfter(refusal) },
  body: refusal.error,
});

const refuseCall: Refuse = (refusal) => {
  const { error, details } = refusal;
  const body = {
    ok: false,
    error,
    ...(details && { errors: details, response_metadata: { messages: details } }),
  };
  return jsonAnswer(apiStatus(error), body, retryAfter(refusal));
};

/** Returns what is wrong with a message, by the rules that both APIs share. */
function messageFault(body: Readonly<Record<string, unknown>>): Refusal | undefined {
  const { text, blocks, attachments } = body;
  const hasBlocks = Array.isArray(blocks) ? blocks.length > 0 : blocks !== undefined;
  const hasText = typeof text === 'string' && text !== '';
  if (!hasText && !hasBlocks && !Array.isArray(attachments)) return { error: 'no_text' };
  if (hasText && text.length > maxTextLength) return { error: 'msg_too_long' };
  if (Array.isArray(attachments) && attachments.length > maxAttachments) {
    return { error: 'too_many_attachments' };
  }
  const details = hasBlocks ? blocksFaults(blocks) : [];
  if (details.length > 0) return { error: 'invalid_blocks', details };
  return areTooLong(blocks) ? { error: 'msg_blocks_too_long' } : undefined;
}

/**
 * Starts Slack on 127.0.0.1, as far as it is documented: an incoming webhook and `chat.postMessage`, for JSON. Checks
 * bodies, tokens, texts and blocks, and reports mentions and links. A `client_msg_id`, which the documented errors
 * mention and the arguments do not, has no effect: a repeated message is posted twice.
 */
export async function slackStandIn(options: SlackStandInOptions = {}): Promise<SlackStandIn> {
  const { limitRate = false, now = Date.now } = options;
  const channelId = 'C0STANDIN1';
  const botToken = ['xoxb', '1111111111', '2222222222', 'standInStandInStandInSta'].join('-');
  const hook = '/services/T0STANDIN/B0STANDIN/standInStandInStandInSta';
  const messages: SlackStandInMessage[] = [];
  let lastAt = Number.NEGATIVE_INFINITY;
  let isArchived = false;
  let isRevoked = false;
  let isRemoved = false;
  let failing: { readonly error: string; left: number } | undefined;

  /** Accepts a message, or returns why it is refused. */
  function take(body: Readonly<Record<string, unknown>>): SlackStandInMessage | Refusal {
    const fault = messageFault(body);
    if (fault) return fault;
    const waitMs = lastAt + 1_000 - now();
    if (limitRate && waitMs > 0)
      return { error: 'rate_limited', retryAfterSeconds: Math.ceil(waitMs / 1_000) };
    lastAt = now();
    const ts = `${Math.floor(lastAt / 1_000)}.${String(messages.length + 1).padStart(6, '0')}`;
    const texts = textsOf(body.blocks).filter(({ type }) => type === 'mrkdwn');
    const marks = [String(body.text ?? ''), ...texts.map(({ text }) => text)].map(slackMarkup);
    const message = {
      channel: channelId,
      ts,
      body,
      mentions: marks.flatMap(({ mentions }) => mentions),
      links: marks.flatMap(({ links }) => links),
    };
    messages.push(message);
    return message;
  }

  function postToWebhook(request: StandInRequest): StandInAnswer {
    if (isRemoved || request.path !== hook) return refuseWebhook({ error: 'no_service' });
    if (isArchived) return refuseWebhook({ error: 'channel_is_archived' });
    const body = jsonBody(request);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      return refuseWebhook({ error: 'invalid_payload' });
    }
    const taken = take(body as Record<string, unknown>);
    return 'error' in taken ? refuseWebhook(taken) : { status: 200, body: 'ok' };
  }

  function tokenFault({ headers }: StandInRequest): string | undefined {
    const { authorization } = headers;
    if (authorization === undefined) return 'not_authed';
    if (authorization !== `Bearer ${botToken}`) return 'invalid_auth';
    return isRevoked ? 'token_revoked' : undefined;
  }

  function callMethod(request: StandInRequest): StandInAnswer {
    if (request.path !== '/api/chat.postMessage') return refuseCall({ error: 'unknown_method' });
    const [, charset = 'utf-8'] = /charset=([^;\s]+)/i.exec(request.headers['content-type'] ?? '') ?? [];
    if (!/^(utf-8|iso-8859-1)$/i.test(charset)) return refuseCall({ error: 'invalid_charset' });
    const refused = tokenFault(request);
    if (refused) return refuseCall({ error: refused });
    const body = jsonBody(request);
    if (body === undefined) return refuseCall({ error: 'invalid_json' });
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      return refuseCall({ error: 'json_not_object' });
    }
    const { channel } = body as Record<string, unknown>;
    if (channel !== channelId) return refuseCall({ error: 'channel_not_found' });
    if (isArchived) return refuseCall({ error: 'is_archived' });
    const taken = take(body as Record<string, unknown>);
    if ('error' in taken) {
      return refuseCall(taken.error === 'rate_limited' ? { ...taken, error: 'ratelimited' } : taken);
    }
    return jsonAnswer(200, { ok: true, channel, ts: taken.ts, message: { type: 'message', ...taken.body } });
  }

  const server = await httpStandIn((request) => {
    const isCall = request.path.startsWith('/api/');
    if (failing && failing.left > 0) {
      failing.left--;
      return (isCall ? refuseCall : refuseWebhook)({ error: failing.error });
    }
    if (request.method !== 'POST') return { status: 405 };
    return isCall ? callMethod(request) : postToWebhook(request);
  });

  return {
    ...server,
    channelOptions: { ...server.channelOptions, apiUrl: `${server.origin}/api` },
    webhookUrl: server.origin + hook,
    botToken,
    channelId,
    messages,
    failNext(error, times = 1) {
      failing = { error, left: times };
    },
    archiveChannel() {
      isArchived = true;
    },
    revokeToken() {
      isRevoked = true;
    },
    removeWebhook() {
      isRemoved = true;
    },
  };
}
