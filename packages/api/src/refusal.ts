import { type ErrorCode, isPosthornError, type PosthornError } from '@posthorn/core';

/** One place that is wrong in a request, as a 422 lists it. */
export interface Detail {
  /** The path to the place, from `body`, `query` or `path`. */
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** The error type that a client gets with each status that is no success. */
export const errorTypes = {
  400: 'BadRequestError',
  401: 'UnauthorizedError',
  403: 'ForbiddenError',
  404: 'NotFoundError',
  405: 'MethodNotAllowedError',
  409: 'ConflictError',
  412: 'PreconditionFailedError',
  413: 'PayloadTooLargeError',
  415: 'UnsupportedMediaTypeError',
  429: 'TooManyRequestsError',
  500: 'InternalServerError',
  503: 'ServiceUnavailableError',
} as const;
export type ErrorStatus = keyof typeof errorTypes;

/** Thrown to answer a request with an error. Its `message` goes to the client, so it must hold nothing secret. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: ErrorStatus | 422;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: ErrorStatus | 422, message: string, body: unknown, headers: Refusal['headers'] = {}) {
    super(message);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export function refuse(
  status: ErrorStatus,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
  headers: Refusal['headers'] = {},
): Refusal {
  const error = { message, type: errorTypes[status], details };
  return new Refusal(status, message, { success: false, status, error }, headers);
}

/** A 422 with every place that is wrong. */
export const invalid = (detail: readonly Detail[]): Refusal =>
  new Refusal(422, 'the request is not valid', { detail });

/** How long a client should wait if the storage is full. */
const roomAfterSeconds = '5';

/**
 * How each error of the engine is answered: with a status, with a 422 for this place in the request, or with a 500
 * (`ours`).
 */
const answers: Readonly<Record<ErrorCode, ErrorStatus | readonly string[] | 'ours'>> = {
  invalid_option: [],
  invalid_webhook: ['body'],
  invalid_event_type: ['body', 'event_type'],
  invalid_pattern: ['body', 'event_type'],
  unknown_event_type: ['body', 'event_type'],
  invalid_payload: ['body', 'metadata'],
  payload_too_large: 413,
  payload_too_deep: 400,
  invalid_secret: ['body', 'secret'],
  too_many_secrets: 409,
  secret_unreadable: 'ours',
  webhook_unreadable: 'ours',
  not_found: 404,
  conflict: 409,
  idempotency_conflict: 409,
  idempotency_key_in_use: 409,
  storage_full: 429,
  storage_failed: 'ours',
  listener_failed: 'ours',
  checkpoint_refused: 'ours',
  // A wrong address, header or template of a webhook is reported as `invalid_webhook`, with its place.
  url_invalid: 'ours',
  url_scheme: 'ours',
  url_credentials: 'ours',
  url_port: 'ours',
  url_unresolvable: 'ours',
  address_forbidden: 'ours',
  invalid_header: 'ours',
  invalid_template: 'ours',
};

/** The answer to an error of the engine in a request to `route`; undefined if the client did not cause the error. */
export function refusalOf(error: unknown, route: { readonly body?: unknown } | null): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (!isPosthornError(error)) return undefined;
  const answer = answers[error.code];
  if (answer === undefined || answer === 'ours') return undefined;
  if (typeof answer !== 'number') {
    const place = error.code === 'invalid_option' ? [route?.body ? 'body' : 'query'] : answer;
    return invalid(detailsOf(error, place));
  }
  return refuse(answer, error.message, {}, answer === 429 ? { 'retry-after': roomAfterSeconds } : {});
}

function detailsOf({ issues, message, code }: PosthornError, place: readonly string[]): Detail[] {
  if (issues.length === 0) return [{ loc: place, msg: message, type: 'value_error' }];
  return issues.map((issue) => ({
    loc: [...place, ...(code === 'invalid_payload' ? issue.path : onTheWire(issue.path))],
    msg: issue.message,
    type: 'value_error',
  }));
}

/** Fields that have entirely different names on the wire. */
const wireNames: ReadonlyMap<unknown, string> = new Map([
  ['id', 'webhook_id'],
  ['name', 'webhook_name'],
]);

/** Fields are snake_case on the wire, except those in configs, which belong to the channel and keep their names. */
function onTheWire(path: readonly (string | number)[]): (string | number)[] {
  const configsAt = path.indexOf('configs');
  return path.map((key, at) => {
    if (typeof key !== 'string' || (configsAt >= 0 && at > configsAt)) return key;
    const renamed = at === 0 ? wireNames.get(key) : undefined;
    return renamed ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  });
}
