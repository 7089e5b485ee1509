import type { Verdict } from '@posthorn/core';

/** One text to one number. */
export interface Sms {
  /** E.164: `+` and digits. */
  readonly to: string;
  /** What to send, cut to the channel's `maxSegments`. */
  readonly text: string;
  /** With `to` it names this text, the same at every attempt: for services that drop repetitions by a key. */
  readonly deliveryId: string;
  readonly eventId: string;
}

/**
 * What became of one text, as a verdict: `delivered` once the service has taken it, `failed` where it may be tried
 * again, `rejected` where this number will never get it. `busy` says that the service takes no more for now, `failed` with
 * `retryAfterMs` that it is out of order for so long: the numbers not yet tried wait for the next attempt. A reference of the service for people to
 * find the text by belongs in `response`.
 */
export type SmsResult = Exclude<Verdict, { readonly outcome: 'gone' }>;

/** A service that sends texts: `twilio(…)`, `httpSmsProvider(…)`, or one of your own. */
export interface SmsProvider {
  /**
   * Sends one text to one number, once: when to try again is the engine to say. `signal` aborts when the attempt is
   * over. What it throws counts as `failed`. Phone numbers of the webhook are cut from what it reports; credentials it
   * must leave out itself.
   */
  send(sms: Sms, signal: AbortSignal): Promise<SmsResult>;
}
