import { delivered, failed, gone, rateLimited, rejected, type Verdict } from '@posthorn/core/channel';
import { type OutboundAnswer, type ReadAnswer, retryAfterMs, strangersVerdict } from '@posthorn/outbound';

/*
 * The verdicts for Slack's errors. Sources: Slack, "Sending messages using incoming webhooks" (section on errors) and
 * its changelog of 2016-05-17; "chat.postMessage" (errors); "Rate limits". An error in neither table has failed and is
 * retried: it is temporary, or someone can fix it in Slack meanwhile, such as `not_in_channel`.
 */

/** Slack will never accept this message, but may accept the next one. */
const neverAgain: Readonly<Record<string, string>> = {
  invalid_payload: 'it cannot parse the message',
  invalid_blocks: 'it cannot render the blocks',
  invalid_blocks_format: 'it cannot parse the blocks',
  invalid_arguments: 'it cannot parse the message',
  invalid_arg_name: 'it cannot parse the message',
  invalid_array_arg: 'it cannot parse the message',
  invalid_charset: 'it cannot parse the message',
  invalid_form_data: 'it cannot parse the message',
  invalid_json: 'it cannot parse the message',
  json_not_object: 'it cannot parse the message',
  invalid_post_type: 'it cannot parse the message',
  missing_post_type: 'it cannot parse the message',
  no_text: 'the message is empty',
  missing_text_or_fallback_or_attachments: 'the message is empty',
  msg_too_long: 'the text is too long',
  msg_blocks_too_long: 'the blocks are too long in total',
  too_many_attachments: 'the message has too many attachments',
  attachment_payload_limit_exceeded: 'the attachments are too long',
  // An earlier attempt was posted, and its message has been deleted.
  duplicate_message_not_found: 'it was posted before, and deleted',
  duplicate_channel_not_found: 'it was posted before, in a channel that no longer exists',
};

/** Slack will accept no message until the configs are changed. */
const permanentlyGone: Readonly<Record<string, string>> = {
  no_service: 'the incoming webhook was disabled or removed',
  no_service_id: 'there is no such incoming webhook',
  no_active_hooks: 'the incoming webhook is disabled',
  no_team: 'there is no such workspace',
  team_not_found: 'there is no such workspace',
  team_disabled: 'the workspace is no longer active',
  invalid_token: 'the token of the incoming webhook is invalid',
  action_prohibited: 'an admin has disabled this way of posting',
  posting_to_general_channel_denied: 'posting to this channel is restricted',
  channel_not_found: 'there is no such channel, or the bot cannot see it',
  channel_is_archived: 'the channel was archived',
  is_archived: 'the channel was archived',
  user_not_found: 'there is no such user',
  invalid_auth: 'the token is invalid',
  not_authed: 'the token is missing',
  not_allowed_token_type: 'the token is not a bot token',
  token_revoked: 'the token was revoked',
  token_expired: 'the token has expired',
  account_inactive: 'the bot or its workspace was deleted',
};

/** Rate limit errors. The usual limit is one message per second and channel. */
const busyWords: ReadonlySet<string> = new Set(['rate_limited', 'ratelimited']);
const usualWaitMs = 1_000;

/**
 * Reads the response of an incoming webhook: `ok`, or an error word as plain text with a matching status. A response
 * without such a word is not from Slack but e.g. from a proxy. It has failed and is retried.
 */
export const webhookVerdict: ReadAnswer = (answer) => {
  const { status, body } = answer;
  const error = /^[a-z_]{1,80}$/.exec(body.trim())?.[0];
  const known = error === undefined || status < 400 ? undefined : verdictOfError(error, answer);
  if (known) return known;
  if (status === 429) return busyVerdict(answer);
  const report = { status, response: body };
  if (status === 400 && error !== undefined) {
    return rejected('http_status', `Slack answered ${error}`, report);
  }
  return strangersVerdict(answer);
};

/** Reads the response of a Web API method: always status 200, with JSON fields `ok` and, if that is false, `error`. */
export const methodVerdict: ReadAnswer = (answer, { ok, error }) => {
  const { status, body, bodyTruncated } = answer;
  const report = { status, response: body };
  // The response repeats the message, and only the beginning of a long one is kept.
  const isAccepted = bodyTruncated ? /^\s*\{\s*"ok"\s*:\s*true\b/.test(body) : ok === true;
  if (isAccepted && status < 300) return delivered(report);
  if (ok === false && typeof error === 'string' && /^[\w.:-]{1,80}$/.test(error)) {
    return verdictOfError(error, answer) ?? failed('http_status', `Slack answered ${error}`, report);
  }
  if (status === 429) return busyVerdict(answer);
  return status >= 200 && status < 300
    ? failed('protocol', 'the response is not from the Web API', report)
    : strangersVerdict(answer);
};

function busyVerdict({ status, headers, body: response }: OutboundAnswer): Verdict {
  const waitMs = retryAfterMs(headers['retry-after']) ?? usualWaitMs;
  return rateLimited(waitMs, `Slack answered ${status}: too many messages`, { status, response });
}

function verdictOfError(error: string, answer: OutboundAnswer): Verdict | undefined {
  const { status, body } = answer;
  if (busyWords.has(error)) return busyVerdict(answer);
  const report = { status, response: body };
  const describe = (why: string): string => `Slack answered ${error}: ${why}`;
  if (Object.hasOwn(neverAgain, error)) return rejected('http_status', describe(neverAgain[error]!), report);
  if (Object.hasOwn(permanentlyGone, error))
    return gone('http_status', describe(permanentlyGone[error]!), report);
  return undefined;
}
