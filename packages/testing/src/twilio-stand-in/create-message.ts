import { randomBytes } from 'node:crypto';
import { errorOf, magicRecipients, magicSenders, type TwilioError } from './errors.js';

/** An accepted text, as Twilio's Message resource. */
export interface TwilioMessage {
  readonly sid: string;
  readonly to: string;
  readonly from: string | null;
  readonly messaging_service_sid: string | null;
  readonly body: string;
  readonly status_callback: string | null;
}

/** The numbers that may send, and those that cannot receive. */
export interface Account {
  readonly senders: ReadonlySet<string>;
  readonly messagingServices: ReadonlySet<string>;
  readonly failingNumbers: ReadonlyMap<string, number>;
}

const maxCharacters = 1_600;

/** Handles the parameters of a POST to `Messages.json` as the API reference describes. */
export function createMessage(parameters: URLSearchParams, account: Account): TwilioMessage | TwilioError {
  const to = parameters.get('To') ?? '';
  const from = parameters.get('From');
  const service = parameters.get('MessagingServiceSid');
  const body = parameters.get('Body') ?? '';
  if (to === '') return errorOf(21604, "A 'To' phone number is required.");
  if (!from && !service) return errorOf(21603, "A 'From' phone number is required.");
  if (body === '') return errorOf(21602, 'Message body is required.');
  if ([...body].length > maxCharacters) {
    return errorOf(21617, `The message has more than ${maxCharacters} characters.`);
  }
  if (!/^\+[1-9]\d{1,14}$/.test(to)) return errorOf(21211, `The number ${to} is not a phone number.`);
  if (service && !/^MG[0-9a-f]{32}$/i.test(service)) return errorOf(21705, 'The service is invalid.');
  if (service && !account.messagingServices.has(service)) return errorOf(21701, 'There is no such service.');
  if (from) {
    const code = magicSenders[from] ?? (account.senders.has(from) ? undefined : 21606);
    if (code !== undefined) return errorOf(code, `The number ${from} cannot send to ${to}.`);
    if (from === to) return errorOf(21266, `The number ${to} cannot text itself.`);
  }
  const code = account.failingNumbers.get(to) ?? magicRecipients[to];
  if (code !== undefined) return errorOf(code, `The number ${to} cannot be texted.`);
  return {
    sid: `SM${randomBytes(16).toString('hex')}`,
    to,
    from,
    messaging_service_sid: service,
    body,
    status_callback: parameters.get('StatusCallback'),
  };
}
