import type { Verdict } from '@posthorn/core/channel';

/** One text to one number. */
export interface Sms {
  /** E.164: `+` and digits. */
  readonly to: string;
  /** The text, cut to the channel's `maxSegments`. */
  readonly text: string;
  /** The same at every attempt. Together with `to` it is an idempotency key for services that support one. */
  readonly deliveryId: string;
  readonly eventId: string;
}

/**
 * The result of one text, as a verdict. `response` may contain the service's id of the text, for people to find it.
 * - `delivered`: the service has accepted the text.
 * - `failed`: the text is retried. With `retryAfterMs`, the service is out of order for that time, and the numbers not
 *   yet tried wait for the next attempt.
 * - `rate_limited`: the service accepts no more texts at the moment. The numbers not yet tried wait for the next attempt.
 * - `rejected`: this number will never get the text.
 */
export type SmsResult = Exclude<Verdict, { readonly outcome: 'gone' }>;

/** A service that sends texts: `twilio(…)`, `httpSmsProvider(…)`, or your own. */
export interface SmsProvider {
  /**
   * Sends one text to one number, once; the engine schedules retries. `signal` aborts when the attempt is over. An
   * error counts as `failed`. Phone numbers of the webhook are shortened in results; the provider must omit credentials
   * itself.
   */
  send(sms: Sms, signal: AbortSignal): Promise<SmsResult>;
}
