import type { FailureKind } from '@posthorn/core';

/** The meaning of a code for one text: never for this number, retry later, or the application has to fix something. */
export interface TwilioMeaning {
  readonly outcome: 'rejected' | 'failed';
  readonly kind: FailureKind;
  readonly message: string;
  /** Whether the service as a whole asks to wait. */
  readonly isWait?: boolean;
  /** Whether the reason is a rate limit. */
  readonly isRateLimited?: boolean;
}

const invalid = (message: string): TwilioMeaning => ({ outcome: 'rejected', kind: 'config', message });
const refused = (message: string): TwilioMeaning => ({ outcome: 'rejected', kind: 'http_status', message });
const later = (message: string): TwilioMeaning => ({ outcome: 'failed', kind: 'http_status', message });
const wait = (message: string): TwilioMeaning => ({ ...later(message), isWait: true });
const busy = (message: string): TwilioMeaning => ({ ...wait(message), isRateLimited: true });
const ours = (message: string): TwilioMeaning => ({ outcome: 'failed', kind: 'channel_error', message });
const login = (message: string): TwilioMeaning => ({ outcome: 'failed', kind: 'credentials', message });

/**
 * Twilio's error codes for creating a text, by https://www.twilio.com/docs/api/errors. Codes from 30000 on are reported
 * later to the status callback, unless a text fails at once. Twilio adds codes at any time, so the HTTP status decides
 * for unknown ones.
 */
const meanings: ReadonlyMap<number, TwilioMeaning> = new Map([
  [20003, login('the credentials are refused')],
  [20005, login('the account is not active')],
  [20008, login('test credentials are not allowed to do this')],
  [20404, ours('there is no such account or messaging service')],
  [20429, busy('too many requests at once')],
  [20500, later('internal error')],
  [20503, later('out of service')],
  [21211, invalid('is not a valid phone number')],
  [21212, ours('`from` is not a valid sender')],
  [21265, invalid('is a short code')],
  [21266, invalid('is the sender itself')],
  [21267, ours('a trial account has no alphanumeric sender')],
  [21268, invalid('is a premium or information service')],
  [21408, ours('the account may not send to this region')],
  [21601, ours('`from` is not a number of this account that can send texts')],
  [21602, invalid('the text is empty')],
  [21603, ours('there is no sender')],
  [21604, invalid('there is no recipient')],
  [21606, ours('`from` cannot send texts to this number, or does not belong to this account')],
  [21608, ours('a trial account may text verified numbers only')],
  [21610, refused('has opted out')],
  [21611, busy('the queue of this sender is full')],
  [21612, refused('cannot be reached from this sender')],
  [21614, invalid('cannot receive texts')],
  [21617, invalid('the text is longer than 1,600 characters')],
  [21635, invalid('is a landline')],
  [21659, ours('`from` is not a Twilio number, or cannot text to this country')],
  [21660, ours('`from` does not belong to this account')],
  [21661, ours('`from` cannot send texts')],
  [21701, ours('there is no such messaging service')],
  [21703, ours('the messaging service has no sender')],
  [21704, ours('the messaging service has no sender')],
  [21705, ours('the messaging service is invalid')],
  [21730, wait('under maintenance')],
  [30001, busy('the queue is full')],
  [30002, ours('the account is suspended')],
  [30003, later('cannot be reached now')],
  [30004, refused('is blocked')],
  [30005, refused('is unknown to the carrier')],
  [30006, refused('is a landline, or its carrier cannot be reached')],
  [30007, refused('the text was filtered as unwanted')],
  [30034, ours('the sender is not registered for A2P 10DLC')],
]);

/** Returns the meaning of Twilio's `code`, or of the HTTP status for an unknown code. */
export function meaningOf(code: number | undefined, status: number): TwilioMeaning {
  const known = code === undefined ? undefined : meanings.get(code);
  if (known) return known;
  if (status === 429) return busy('too many requests');
  if (status === 401 || status === 403) return login('the request is refused');
  if (status === 404) return ours('the request is refused');
  return later('the text was not accepted');
}
