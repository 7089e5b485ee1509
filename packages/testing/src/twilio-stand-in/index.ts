import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { PosthornError } from '@posthorn/core';
import { type Account, createMessage, type TwilioMessage } from './create-message.js';
import { errorOf, type TwilioError } from './errors.js';

export type { TwilioMessage } from './create-message.js';

/** Options of `twilioStandIn`. */
export interface TwilioStandInOptions {
  /** Numbers and sender IDs from which the account may send. Default: the magic one that works, `+15005550006`. */
  readonly senders?: readonly string[];
  /** The number of concurrent requests; more are answered with 429. Default 100. */
  readonly concurrency?: number;
}

/**
 * What happens to requests: an error of Twilio's by its code; an answer of 1 MiB; an answer that quotes the whole
 * request, as a broken gateway might; a closed connection without an answer; or no answer at all.
 */
export type TwilioTrouble =
  | { readonly code: number; readonly retryAfterSeconds?: number }
  | 'flood'
  | 'echo'
  | 'hangup'
  | 'never';

/** A complete request, whatever the answer. */
export interface TwilioRequest {
  readonly to: string | null;
  readonly body: string | null;
}

/** Twilio's API for texts, on 127.0.0.1. */
export interface TwilioStandIn {
  /** The URL that replaces `https://api.twilio.com`. */
  readonly url: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** An API key of the account, and its secret. */
  readonly apiKey: string;
  readonly apiKeySecret: string;
  readonly messagingServiceSid: string;
  /** The first of its senders. */
  readonly from: string;
  /** Every accepted text, in order. */
  readonly messages: readonly TwilioMessage[];
  /** Every request, in order. */
  readonly requests: readonly TwilioRequest[];
  /** Makes texts to this number fail with `code` from now on; without a code, they are accepted again. */
  failNumber(number: string, code?: number): void;
  /** Gives all requests this trouble from now on; without one, none. */
  trouble(how?: TwilioTrouble): void;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

const accountSid = `AC${'5'.repeat(32)}`;
const apiKey = `SK${'5'.repeat(32)}`;
const messagingServiceSid = `MG${'5'.repeat(32)}`;
const authToken = 'stand-in-auth-token-0123456789ab';
const apiKeySecret = 'stand-in-api-key-secret-012345ab';

/**
 * Starts a stand-in for Twilio: `POST /2010-04-01/Accounts/{AccountSid}/Messages.json`, with basic authentication by
 * the account's token or an API key, parameters as a form, texts of at most 1,600 characters, and the magic numbers of
 * Twilio's test credentials. It answers as https://www.twilio.com/docs/messaging/api/message-resource documents, errors
 * as `{ code, message, more_info, status }`, and sends nothing. Throws `invalid_option`.
 */
export async function twilioStandIn({
  senders = ['+15005550006'],
  concurrency = 100,
}: TwilioStandInOptions = {}): Promise<TwilioStandIn> {
  if (senders.length === 0) throw new PosthornError('invalid_option', 'senders must be a non-empty list');
  const messages: TwilioMessage[] = [];
  const requests: TwilioRequest[] = [];
  const failingNumbers = new Map<string, number>();
  const account: Account = {
    senders: new Set(senders),
    messagingServices: new Set([messagingServiceSid]),
    failingNumbers,
  };
  let how: TwilioTrouble | undefined;
  let inProgress = 0;

  function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const parameters = new URLSearchParams(isForm(request) ? body : '');
    requests.push({ to: parameters.get('To'), body: parameters.get('Body') });
    if (typeof how === 'string') {
      troubles[how](response, `${JSON.stringify(request.headers)} ${[...parameters.values()]}`);
      return;
    }
    const isTooMany = inProgress > concurrency;
    const answered = isTooMany
      ? errorOf(20429, 'Too Many Requests')
      : (refusalOf(request) ?? (how ? errorOf(how.code) : createMessage(parameters, account)));
    if ('code' in answered) {
      writeError(response, answered, how?.retryAfterSeconds);
    } else {
      messages.push(answered);
      writeMessage(response, answered);
    }
  }

  const server = createServer(async (request, response) => {
    inProgress++;
    response.on('close', () => {
      inProgress--;
    });
    const body = await text(request).catch(() => undefined);
    if (body !== undefined) answer(request, response, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accountSid,
    authToken,
    apiKey,
    apiKeySecret,
    messagingServiceSid,
    from: senders[0]!,
    messages,
    requests,
    failNumber(number, code) {
      if (code === undefined) failingNumbers.delete(number);
      else failingNumbers.set(number, code);
    },
    trouble(next) {
      how = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers that are not Twilio's. `quoted` is everything that was received. */
const troubles: Readonly<Record<TwilioTrouble & string, (response: ServerResponse, quoted: string) => void>> =
  {
    flood: (response) => response.writeHead(201).end('x'.repeat(1024 * 1024)),
    echo: (response, quoted) => response.writeHead(500).end(quoted),
    hangup: (response) => response.destroy(),
    never: () => undefined,
  };

const isForm = ({ headers }: IncomingMessage): boolean =>
  /^application\/x-www-form-urlencoded\s*(;|$)/i.test(headers['content-type'] ?? '');

/** Returns what is wrong with a request before its parameters are read. */
function refusalOf({ method, url, headers }: IncomingMessage): TwilioError | undefined {
  const credentials = [`${accountSid}:${authToken}`, `${apiKey}:${apiKeySecret}`].map(
    (pair) => `Basic ${Buffer.from(pair).toString('base64')}`,
  );
  if (!credentials.includes(headers.authorization ?? '')) return errorOf(20003, 'Authenticate');
  if (url !== `/2010-04-01/Accounts/${accountSid}/Messages.json`) {
    return errorOf(20404, 'The requested resource was not found');
  }
  return method === 'POST' ? undefined : errorOf(20004, 'Method not allowed');
}

function writeError(
  response: ServerResponse,
  { code, message, status }: TwilioError,
  retryAfterSeconds?: number,
): void {
  const body = { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
  response
    .writeHead(status, {
      'content-type': 'application/json',
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    })
    .end(JSON.stringify(body));
}

function writeMessage(response: ServerResponse, message: TwilioMessage): void {
  const body = {
    ...message,
    account_sid: accountSid,
    api_version: '2010-04-01',
    date_created: new Date().toUTCString(),
    direction: 'outbound-api',
    error_code: null,
    error_message: null,
    status: message.messaging_service_sid === null ? 'queued' : 'accepted',
    uri: `/2010-04-01/Accounts/${accountSid}/Messages/${message.sid}.json`,
  };
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
