/**
 * All codes of a {@link PosthornError}. Code may switch on them; a new code comes with a minor release.
 *
 * - `invalid_option`: an option of a factory or a call has the wrong type or is out of range.
 * - `invalid_webhook`: a webhook cannot be saved as given. `issues` has each field.
 * - `invalid_event_type`, `invalid_pattern`: a name breaks the grammar of event types and patterns.
 * - `unknown_event_type`: the catalog does not have this type.
 * - `invalid_payload`: the payload is not JSON, or the catalog's schema refuses it. `issues` has each place.
 * - `payload_too_large`, `payload_too_deep`: the payload exceeds the dispatcher's limits.
 * - `invalid_secret`: a signing secret is malformed, too short or too long.
 * - `too_many_secrets`: ten old secrets still sign.
 * - `secret_unreadable`: a stored secret is damaged, or was encrypted with a key that the dispatcher does not have.
 * - `webhook_unreadable`: the stored record of a webhook is damaged. `issues` has each place. Other webhooks are not affected.
 * - `not_found`: this tenant has no such webhook, event, delivery, replay or API key.
 * - `conflict`: the id is taken, the record changed meanwhile, or its state does not allow the call.
 * - `idempotency_conflict`: the idempotency key was used before, with another event.
 * - `idempotency_key_in_use`: an open transaction holds the idempotency key. Nothing was stored; try again later.
 * - `storage_full`: the storage is at its limit. Try again when deliveries have finished.
 * - `storage_failed`: the storage threw; see `cause`. Whether a write took effect is unknown.
 * - `checkpoint_refused`: a channel left a checkpoint that is not text of at most 16 Ki characters. Emitted as `error`, never thrown.
 * - `listener_failed`: a lifecycle listener threw. Emitted as `error`, never thrown.
 * - `url_invalid`, `url_scheme`, `url_credentials`, `url_port`: an outbound URL is refused for its text.
 * - `address_forbidden`: an outbound URL leads to an address that is not on the public Internet.
 * - `url_unresolvable`: the host name of an outbound URL has no address, or none was found in time.
 * - `invalid_header`: the name or value of a header is not allowed.
 * - `invalid_template`: a template cannot be parsed (`message` has line and column) or rendered.
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
  'checkpoint_refused',
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

/** A value that is wrong, and what was expected. Never quotes the value: it may be a secret. */
export interface Issue {
  /** The path to the value, e.g. `['channels', 0, 'configs', 'url']`. Empty for the whole input. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface PosthornErrorOptions {
  readonly cause?: unknown;
  readonly issues?: readonly Issue[];
}

/**
 * The only error that this library throws. Switch on `code`; `message` is for people. `instanceof` also holds for an error of
 * another copy of this package, as npm installs for two version ranges.
 */
export class PosthornError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A derived class inherits this method, but not every error is one of its own.
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class on the right of `instanceof`.
    return this === PosthornError ? isPosthornError(value) : super[Symbol.hasInstance](value);
  }

  override readonly name = 'PosthornError';
  readonly code: ErrorCode;
  /** For the `invalid_*` codes: each wrong value. Otherwise empty. */
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

/** Describes the type of a value for an error message, without the value. */
export function describeType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'undefined') return 'undefined';
  return `a ${typeof value}`;
}

const maxDescribed = 20;
const maxPathLength = 200;

/** Formats issues as one line, at most 20 of them: `channels.0.configs.url: must be a URL; name: is required`. */
export function describeIssues(issues: readonly Issue[]): string {
  const described = issues
    .slice(0, maxDescribed)
    .map(({ path, message }) => (path.length ? `${describePath(path)}: ${message}` : message));
  const more = issues.length - maxDescribed;
  return [...described, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** A path may hold foreign text: it must neither break out of its log line nor fill it. */
function describePath(path: Issue['path']): string {
  const text = path.join('.').slice(0, maxPathLength);
  return /^[\x20-\x7e]*$/.test(text) ? text : JSON.stringify(text).replace(/[^\x20-\x7e]/g, asEscape);
}

const asEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Creates the error for a webhook that cannot be saved, with an issue for each field. */
export function invalidWebhook(issues: readonly Issue[]): PosthornError {
  return new PosthornError('invalid_webhook', `webhook is not valid: ${describeIssues(issues)}`, { issues });
}
