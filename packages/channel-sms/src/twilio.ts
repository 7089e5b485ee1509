import { isPosthornError } from '@posthorn/core';
import { parseOptions } from '@posthorn/core/channel';
import {
  type Outbound,
  type OutboundAnswer,
  type OutboundOptions,
  outboundOf,
  retryAfterMs,
} from '@posthorn/outbound';
import { invalid } from './options.js';
import { phoneNumber } from './phone-numbers.js';
import type { SmsProvider, SmsResult } from './provider.js';
import { meaningOf } from './twilio-codes.js';

/** Options of `twilio`. */
export interface TwilioOptions {
  /** `AC` and 32 hexadecimal digits. */
  readonly accountSid: string;
  /** The secret of the account. Alternative to an API key. */
  readonly authToken?: string;
  /** An API key, which can be revoked separately: `SK` and 32 hexadecimal digits. Requires `apiKeySecret`. */
  readonly apiKey?: string;
  /** The secret of that API key. */
  readonly apiKeySecret?: string;
  /** The messaging service that chooses the sender: `MG` and 32 hexadecimal digits. Alternative to `from`. */
  readonly messagingServiceSid?: string;
  /**
   * The sender: an E.164 number or short code of the account, or an alphanumeric sender ID of at most 11 characters.
   */
  readonly from?: string;
  /** The URL to which Twilio reports the progress of a text. Default: the setting of the messaging service, or none. */
  readonly statusCallback?: string;
  /**
   * The base URL to which texts and credentials are sent, e.g. of a region of Twilio or a stand-in. Default
   * `https://api.twilio.com`.
   */
  readonly baseUrl?: string;
  /** The client to send with, or options for a new one. Default: a new client for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
}

const known = [
  ...(['accountSid', 'authToken', 'apiKey', 'apiKeySecret', 'messagingServiceSid', 'from'] as const),
  ...(['statusCallback', 'baseUrl', 'outbound'] as const),
];

/** The wait if Twilio asks for one without a time. The retry schedule may extend it. */
const defaultWaitMs = 1_000;

/**
 * Creates a provider for Twilio's REST API 2010-04-01, `Messages.json`. A text counts as delivered once Twilio has
 * accepted it; later progress is reported to `statusCallback`. Twilio has no idempotency key, so a text whose response
 * was lost arrives twice. Throws `invalid_option`; the message never quotes a credential.
 */
export function twilio(given: TwilioOptions): SmsProvider {
  const options = parseOptions(given, known, 'twilio') as TwilioOptions;
  const { accountSid, messagingServiceSid, from, statusCallback } = options;
  checkSid('accountSid', 'AC', accountSid);
  if ((messagingServiceSid === undefined) === (from === undefined)) {
    throw invalid('twilio needs either messagingServiceSid or from');
  }
  if (messagingServiceSid !== undefined) checkSid('messagingServiceSid', 'MG', messagingServiceSid);
  if (from !== undefined && !isSender(from)) {
    throw invalid('from must be an E.164 number, a short code or an alphanumeric sender ID');
  }
  if (statusCallback !== undefined && !isHttpUrl(statusCallback)) {
    throw invalid('statusCallback must be a full URL');
  }
  const outbound = outboundOf(options.outbound);
  const url = `${originOf(options.baseUrl)}/2010-04-01/Accounts/${accountSid}/Messages.json`;
  const headers = {
    authorization: authorizationOf(options),
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  };
  const same = {
    ...(messagingServiceSid === undefined ? {} : { MessagingServiceSid: messagingServiceSid }),
    ...(from === undefined ? {} : { From: from }),
    ...(statusCallback === undefined ? {} : { StatusCallback: statusCallback }),
  };

  return {
    async send({ to, text }, signal) {
      const body = new URLSearchParams({ To: to, Body: text, ...same }).toString();
      try {
        const result = await outbound.request({ url, headers, body, signal });
        if (result.ok) return resultOf(result);
        const { kind, message } = result;
        return { outcome: 'failed', kind: kind === 'aborted' ? 'timeout' : kind, message };
      } catch (error) {
        // The URL is not allowed. It belongs to the application, not to the webhook.
        if (isPosthornError(error)) {
          return { outcome: 'failed', kind: 'channel_error', message: error.message };
        }
        throw error;
      }
    },
  };
}

/** Reads codes and ids only, because the rest of the response repeats the number and the text. */
function resultOf({ status, headers, body }: OutboundAnswer): SmsResult {
  const { sid, code: refusal, error_code: failureCode } = fieldsOf(body);
  const code = [refusal, failureCode].find((value) => Number.isInteger(value)) as number | undefined;
  if (status === 201 && code === undefined) {
    return { outcome: 'delivered', status, ...(isSid('(?:SM|MM)', sid) && { response: sid }) };
  }
  const { outcome, kind, message, isWait, isRateLimited } = meaningOf(code, status);
  const reason = `Twilio ${code ?? `answered ${status}`}: ${message}`;
  if (outcome === 'rejected') return { outcome, kind, message: reason, status };
  const askedMs = retryAfterMs(headers['retry-after']);
  if (isRateLimited)
    return { outcome: 'rate_limited', retryAfterMs: askedMs ?? defaultWaitMs, message: reason, status };
  const waitMs = askedMs ?? (isWait ? defaultWaitMs : undefined);
  return { outcome, kind, message: reason, status, ...(waitMs !== undefined && { retryAfterMs: waitMs }) };
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const fields: unknown = JSON.parse(body);
    return typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function authorizationOf({ accountSid, authToken, apiKey, apiKeySecret }: TwilioOptions): string {
  if ((authToken === undefined) === (apiKey === undefined)) {
    throw invalid('twilio needs either authToken, or apiKey and apiKeySecret');
  }
  if (authToken !== undefined) {
    if (apiKeySecret !== undefined)
      throw invalid('apiKeySecret is allowed with apiKey only, not with authToken');
    checkSecret('authToken', authToken);
    return basic(accountSid, authToken);
  }
  checkSid('apiKey', 'SK', apiKey);
  checkSecret('apiKeySecret', apiKeySecret);
  return basic(apiKey!, apiKeySecret!);
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

const isSid = (prefix: string, value: unknown): value is string =>
  typeof value === 'string' && new RegExp(`^${prefix}[0-9a-fA-F]{32}$`).test(value);

function checkSid(name: string, prefix: string, value: unknown): void {
  if (!isSid(prefix, value)) throw invalid(`${name} must be ${prefix} and 32 hexadecimal digits`);
}

function checkSecret(name: string, value: unknown): void {
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return;
  throw invalid(`${name} must contain printable characters without spaces`);
}

/**
 * Whether the sender is a number, a short code, or an alphanumeric sender ID of at most 11 characters with a letter.
 */
const isSender = (from: unknown): boolean =>
  typeof from === 'string' &&
  (phoneNumber.test(from) || /^\d{3,8}$/.test(from) || /^(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}$/.test(from));

const isHttpUrl = (url: unknown): url is string =>
  typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);

function originOf(baseUrl: unknown = 'https://api.twilio.com'): string {
  const { origin, href } = isHttpUrl(baseUrl) ? new URL(baseUrl) : { origin: '', href: '' };
  if (origin === '' || href !== `${origin}/`) {
    throw invalid('baseUrl must be a URL like https://api.twilio.com, without a path, query or credentials');
  }
  return origin;
}
