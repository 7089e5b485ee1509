/** An error that Twilio's API answers. */
export interface TwilioError {
  readonly code: number;
  readonly message: string;
  /** The HTTP status. */
  readonly status: number;
}

/** Statuses other than 400, by code. */
const statuses: Readonly<Record<number, number>> = {
  20003: 401,
  20004: 405,
  20404: 404,
  20429: 429,
  20500: 500,
  20503: 503,
  21408: 403,
};

/**
 * Creates an error by its code (https://www.twilio.com/docs/api/errors). As with Twilio, its message may quote the
 * number.
 */
export const errorOf = (code: number, message = 'The text was not accepted'): TwilioError => ({
  code,
  message,
  status: statuses[code] ?? 400,
});

/** Recipients that always fail, with their codes: https://www.twilio.com/docs/iam/test-credentials. */
export const magicRecipients: Readonly<Record<string, number>> = {
  '+15005550001': 21211,
  '+15005550002': 21612,
  '+15005550003': 21408,
  '+15005550004': 21610,
  '+15005550009': 21614,
};

/** Senders that always fail, from the same page. */
export const magicSenders: Readonly<Record<string, number>> = {
  '+15005550001': 21212,
  '+15005550007': 21606,
  '+15005550008': 21611,
};
