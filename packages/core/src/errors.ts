/**
 * Every code a {@link PosthornError} can carry. The list is closed: code may switch on it, and a new code is
 * a minor release.
 *
 * - `invalid_option`: an option handed to a factory or a call is of the wrong kind or out of range.
 * - `invalid_webhook`: a webhook cannot be saved as given; `issues` names each field.
 * - `invalid_event_type`, `invalid_pattern`: a name breaks the grammar of `match.ts`.
 * - `unknown_event_type`: the catalog does not hold this type.
 * - `invalid_payload`: the payload is not JSON, or the catalog's schema refuses it; `issues` says where.
 * - `payload_too_large`, `payload_too_deep`: the payload is over the dispatcher's limits.
 * - `invalid_secret`: a signing secret is malformed, too short or too long; `too_many_secrets`: ten old ones live.
 * - `secret_unreadable`: a stored secret was encrypted by a key the dispatcher does not have, or is damaged.
 * - `webhook_unreadable`: what is stored of a webhook is damaged; `issues` says where. Others are not touched by it.
 * - `not_found`: no such webhook, event or delivery for this tenant.
 * - `conflict`: the id is taken, the row changed meanwhile, or its state does not allow the call.
 * - `idempotency_conflict`: the key was used before, with another event.
 * - `idempotency_key_in_use`: a transaction that is still open holds the key; nothing was stored, so try again later.
 * - `storage_full`: the storage holds as much as it may; try again when deliveries have gone out.
 * - `storage_failed`: the storage threw; `cause` says why. Whether a write took effect is unknown.
 * - `memo_refused`: a channel left a memo that is no text of 16 Ki characters at most; only ever announced as `error`.
 * - `listener_failed`: a lifecycle listener threw; only ever announced as `error`, never thrown.
 * - `url_invalid`, `url_scheme`, `url_credentials`, `url_port`: an outbound address is refused for what it says.
 * - `address_forbidden`: it is refused for where it leads, which is not the public Internet.
 * - `url_unresolvable`: its host name has no address, or none was found in time.
 * - `invalid_header`: a header's name or value must not be sent.
 * - `invalid_template`: a template cannot be parsed, `message` says at which line and column; or cannot be rendered.
 */
export const errorCodes = [
  'invalid_option',
  'invalid_webhook',
  'invalid_event_type',
  'invalid_pattern',
  'unknown_event_type',
  'invalid_payload',
  'payload_too_large',
  'payload_too_deep',
  'invalid_secret',
  'too_many_secrets',
  'secret_unreadable',
  'webhook_unreadable',
  'not_found',
  'conflict',
  'idempotency_conflict',
  'idempotency_key_in_use',
  'storage_full',
  'storage_failed',
  'memo_refused',
  'listener_failed',
  'url_invalid',
  'url_scheme',
  'url_credentials',
  'url_port',
  'url_unresolvable',
  'address_forbidden',
  'invalid_header',
  'invalid_template',
] as const;

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number];

/** Where a value is wrong, and what would be right. Never quotes the value itself: it may be a secret. */
export interface Issue {
  /** The way to the value, e.g. `['channels', 0, 'configs', 'url']`; empty for the whole. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface PosthornErrorOptions {
  readonly cause?: unknown;
  readonly issues?: readonly Issue[];
}

/**
 * The only error this library throws. Switch on `code`; `message` is for people. An error of another copy of this package,
 * as npm makes them of two ranges, is one too: `instanceof` says so.
 */
export class PosthornError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isPosthornError(value);
  }

  override readonly name = 'PosthornError';
  readonly code: ErrorCode;
  /** For the `invalid_*` codes: each place that is wrong. Else empty. */
  readonly issues: readonly Issue[];

  constructor(code: ErrorCode, message: string, options: PosthornErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.issues = options.issues ?? [];
  }
}

/** Whether `error` is a {@link PosthornError}, also one of another copy of this package. */
export function isPosthornError(error: unknown): error is PosthornError {
  return (
    error instanceof Error &&
    error.name === 'PosthornError' &&
    typeof (error as PosthornError).code === 'string'
  );
}

/** The kind of a value in words for an error message; never the value. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'undefined') return 'undefined';
  return `a ${typeof value}`;
}

const maxDescribed = 20;
const maxPathLength = 200;

/** One line for an error message: `channels.0.configs.url: must be an URL; name: is required`, and how many more. */
export function describeIssues(issues: readonly Issue[]): string {
  const described = issues
    .slice(0, maxDescribed)
    .map(({ path, message }) => (path.length ? `${describePath(path)}: ${message}` : message));
  const more = issues.length - maxDescribed;
  return [...described, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** A path may hold what somebody else wrote: it must not break out of its line in a log, nor fill it. */
function describePath(path: Issue['path']): string {
  const text = path.join('.').slice(0, maxPathLength);
  return /^[\x20-\x7e]*$/.test(text) ? text : JSON.stringify(text).replace(/[^\x20-\x7e]/g, asEscape);
}

const asEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A webhook that cannot be saved, field by field. */
export function invalidWebhook(issues: readonly Issue[]): PosthornError {
  return new PosthornError('invalid_webhook', `webhook is not valid: ${describeIssues(issues)}`, { issues });
}
