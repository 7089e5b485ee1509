import { busy, delivered, failed, gone, rejected, type Verdict } from '@posthorn/core';
import { type OutboundAnswer, type ReadAnswer, retryAfterMs, strangersVerdict } from '@posthorn/outbound';

/*
 * What Slack's errors mean. Sources: Slack, "Sending messages using incoming webhooks" (section on errors) and its changelog
 * of 2016-05-17; "chat.postMessage" (errors); "Rate limits". An error that stands in neither table has failed and is tried
 * again: it passes by itself, or someone at Slack's side can set it right meanwhile, such as `not_in_channel`.
 */

/** The message will never be taken; the next one may be. */
const neverAgain: Readonly<Record<string, string>> = {
  invalid_payload: 'it cannot read the message',
  invalid_blocks: 'it cannot show the blocks',
  invalid_blocks_format: 'it cannot read the blocks',
  invalid_arguments: 'it cannot read the message',
  invalid_arg_name: 'it cannot read the message',
  invalid_array_arg: 'it cannot read the message',
  invalid_charset: 'it cannot read the message',
  invalid_form_data: 'it cannot read the message',
  invalid_json: 'it cannot read the message',
  json_not_object: 'it cannot read the message',
  invalid_post_type: 'it cannot read the message',
  missing_post_type: 'it cannot read the message',
  no_text: 'the message says nothing',
  missing_text_or_fallback_or_attachments: 'the message says nothing',
  msg_too_long: 'the text is too long',
  msg_blocks_too_long: 'the blocks are too long in all',
  too_many_attachments: 'the message has too many attachments',
  attachment_payload_limit_exceeded: 'the attachments are too long',
  // An earlier attempt was taken, and its message is no longer there.
  duplicate_message_not_found: 'it was posted before, and deleted',
  duplicate_channel_not_found: 'it was posted before, in a channel that is gone',
};

/** Nothing that is sent there will be taken, until someone stores other configs. */
const goneForGood: Readonly<Record<string, string>> = {
  no_service: 'the incoming webhook was disabled or removed',
  no_service_id: 'there is no such incoming webhook',
  no_active_hooks: 'the incoming webhook is disabled',
  no_team: 'there is no such workspace',
  team_not_found: 'there is no such workspace',
  team_disabled: 'the workspace is no longer active',
  invalid_token: 'the token of the incoming webhook is not valid',
  action_prohibited: 'an admin forbids posting this way',
  posting_to_general_channel_denied: 'posting to this channel is restricted',
  channel_not_found: 'there is no such channel, or the bot may not see it',
  channel_is_archived: 'the channel was archived',
  is_archived: 'the channel was archived',
  user_not_found: 'there is no such user',
  invalid_auth: 'the token is not valid',
  not_authed: 'there is no token',
  not_allowed_token_type: 'it is no token of a bot',
  token_revoked: 'the token was revoked',
  token_expired: 'the token has expired',
  account_inactive: 'the bot or its workspace was deleted',
};

/** Too many messages: a second between two of a channel, mostly, and more where it says so. */
const busyWords: ReadonlySet<string> = new Set(['rate_limited', 'ratelimited']);
const usualWaitMs = 1_000;

/**
 * An incoming webhook says `ok`, or an error in a word of plain text, with a status to go with it. What has no such word
 * is not Slack's: somebody between us and Slack said it, and it passes.
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

/** A method of the Web API answers 200, whatever it has to say, in JSON: `ok`, and `error` where that is false. */
export const methodVerdict: ReadAnswer = (answer, { ok, error }) => {
  const { status, body, bodyTruncated } = answer;
  const report = { status, response: body };
  // Of an answer that repeats a long message only the beginning was kept.
  const isTaken = bodyTruncated ? /^\s*\{\s*"ok"\s*:\s*true\b/.test(body) : ok === true;
  if (isTaken && status < 300) return delivered(report);
  if (ok === false && typeof error === 'string' && /^[\w.:-]{1,80}$/.test(error)) {
    return verdictOfError(error, answer) ?? failed('http_status', `Slack answered ${error}`, report);
  }
  if (status === 429) return busyVerdict(answer);
  return status >= 200 && status < 300
    ? failed('protocol', 'the answer is none of the Web API', report)
    : strangersVerdict(answer);
};

function busyVerdict({ status, headers, body: response }: OutboundAnswer): Verdict {
  const waitMs = retryAfterMs(headers['retry-after']) ?? usualWaitMs;
  return busy(waitMs, `Slack answered ${status}: too many messages`, { status, response });
}

function verdictOfError(error: string, answer: OutboundAnswer): Verdict | undefined {
  const { status, body } = answer;
  if (busyWords.has(error)) return busyVerdict(answer);
  const report = { status, response: body };
  const tell = (why: string): string => `Slack answered ${error}: ${why}`;
  if (Object.hasOwn(neverAgain, error)) return rejected('http_status', tell(neverAgain[error]!), report);
  if (Object.hasOwn(goneForGood, error)) return gone('http_status', tell(goneForGood[error]!), report);
  return undefined;
}
