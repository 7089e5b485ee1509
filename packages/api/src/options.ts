import { kindOf, PosthornError } from '@posthorn/core';
import type { Authenticate, Caller } from './authenticate.js';
import { type CorsOptions, type CrossOrigin, crossOrigin } from './cors.js';
import { type RateLimitOptions, rateLimit } from './rate-limit.js';

export interface ApiOptions {
  /** Where all calls are. Default `/v1/organizations`. */
  readonly basePath?: string;
  /** Who calls, by the application's own sessions or tokens. Default: by API keys, `dispatcher.apiKeys`. */
  readonly auth?: Authenticate;
  /** How many bytes a body may have. Default 262,144. */
  readonly maxBodyBytes?: number;
  /** How many webhooks a tenant may have; what several processes create at once may go a little beyond. Default 10,000. */
  readonly maxWebhooks?: number;
  /** How many calls each key, or else each tenant, may make in this process. Default 100 a second, 1,000 at once; false: any. */
  readonly rateLimit?: RateLimitOptions | false;
  /** As `rateLimit`, for calls that send something at once, for each tenant. Default 1 a second, 10 at once. */
  readonly testRateLimit?: RateLimitOptions | false;
  /** Which pages of other origins may call it. Default: none. */
  readonly cors?: CorsOptions;
  /** Hears of every answer as it begins, but of none to a browser's preflight: a log, an audit trail, a metric. What it throws or rejects with is a warning of the process. */
  readonly onAnswer?: (answered: Answered) => unknown;
  /** Hears why an answer is a 500, or broke off. Default: a warning of the process. */
  readonly onError?: (error: unknown, answered: Answered) => unknown;
}

/** What was answered, to whom. */
export interface Answered {
  readonly requestId: string;
  readonly method: string;
  /** The route's, with its parameters' names; null where there is none. */
  readonly route: string | null;
  readonly status: number;
  readonly durationMs: number;
  /** Null where nobody was found to be calling. */
  readonly caller: Pick<Caller, 'tenantId' | 'keyId'> | null;
}

/** The options, checked, with every default in its place. */
export interface Settings {
  readonly basePath: string;
  readonly auth: Authenticate | undefined;
  readonly maxBodyBytes: number;
  readonly maxWebhooks: number;
  /** Refuses a caller that has had too many. */
  readonly limit: (caller: string) => void;
  readonly testLimit: (caller: string) => void;
  readonly cors: CrossOrigin;
  readonly onAnswer: (answered: Answered) => unknown;
  readonly onError: (error: unknown, answered: Answered) => unknown;
}

const known = [
  ...(['basePath', 'auth', 'maxBodyBytes', 'maxWebhooks', 'rateLimit', 'testRateLimit'] as const),
  ...(['cors', 'onAnswer', 'onError'] as const),
];
const noLimit = () => {};
/** One a day: less is no limit that anybody means. */
const leastPerSecond = 1 / 86_400;

/** Throws `invalid_option`, naming the option; one that nobody knows is refused, since it would do nothing. */
export function settingsOf(options: ApiOptions): Settings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(`options of createApi must be an object, not ${kindOf(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw invalid(`createApi has no option ${unknown}; there is ${known.join(', ')}`);
  }
  // Its own fields alone: what a polluted Object.prototype holds is no option.
  const own: ApiOptions = Object.assign(Object.create(null), options);
  const { basePath = '/v1/organizations', auth, maxBodyBytes = 262_144, maxWebhooks = 10_000 } = own;
  const { rateLimit = { perSecond: 100, burst: 1_000 }, testRateLimit = { perSecond: 1, burst: 10 } } = own;
  const { onAnswer = () => {}, onError = warn } = own;
  if (typeof basePath !== 'string' || !/^(?:\/[A-Za-z0-9._~-]+)*$/.test(basePath)) {
    throw invalid("basePath must be '' or a path like /v1/organizations, without a slash at its end");
  }
  for (const [name, value] of Object.entries({ auth, onAnswer, onError })) {
    if (value !== undefined && typeof value !== 'function') {
      throw invalid(`${name} must be a function, not ${kindOf(value)}`);
    }
  }
  for (const [name, value] of Object.entries({ maxBodyBytes, maxWebhooks })) {
    if (!Number.isSafeInteger(value) || value < 1) throw invalid(`${name} must be a whole number, 1 or more`);
  }
  return {
    basePath,
    auth,
    maxBodyBytes,
    maxWebhooks,
    onAnswer,
    onError,
    limit: limitOf(rateLimit, 'rateLimit'),
    testLimit: limitOf(testRateLimit, 'testRateLimit'),
    cors: crossOrigin(own.cors),
  };
}

function limitOf(options: RateLimitOptions | false, name: string): (caller: string) => void {
  if (options === false) return noLimit;
  const { perSecond, burst } = options ?? {};
  if (!(perSecond >= leastPerSecond && perSecond < 1e9) || !Number.isSafeInteger(burst) || burst < 1) {
    throw invalid(`${name} must be false, or have perSecond, one a day or more, and burst, 1 or more`);
  }
  return rateLimit({ perSecond, burst }, () => performance.now());
}

/** What somebody else has thrown, which may be anything, as a warning of the process. */
export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : `something was thrown: ${kindOf(error)}`);
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
