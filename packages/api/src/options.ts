import { PosthornError } from '@posthorn/core';
import { describeType, parseOptions } from '@posthorn/core/channel';
import type { Authenticate, Caller } from './authenticate.js';
import { type CorsOptions, type CrossOrigin, crossOrigin } from './cors.js';
import { type RateLimitOptions, rateLimit } from './rate-limit.js';

/** Options of `createApi`. */
export interface ApiOptions {
  /** The path prefix of all calls. Default `/v1/organizations`. */
  readonly basePath?: string;
  /** Authenticates callers by the application's own sessions or tokens. Default: by API keys, `dispatcher.apiKeys`. */
  readonly auth?: Authenticate;
  /** The maximum size of a body in bytes. Default 262,144. */
  readonly maxBodyBytes?: number;
  /**
   * The maximum number of webhooks of a tenant. Several processes that create at once may exceed it a little. Default
   * 10,000.
   */
  readonly maxWebhooks?: number;
  /**
   * The rate limit of each key, or of each tenant without keys, in this process. Default 100 a second, bursts of 1,000;
   * false: none.
   */
  readonly rateLimit?: RateLimitOptions | false;
  /**
   * The rate limit of each tenant for calls that send something immediately. Default 1 a second, bursts of 10; false:
   * none.
   */
  readonly testRateLimit?: RateLimitOptions | false;
  /** The other origins whose pages may call the API. Default: none. */
  readonly cors?: CorsOptions;
  /**
   * Called for every answer when it begins, except for preflight requests: for logs, audit trails, metrics. An error
   * that it throws or rejects with becomes a warning of the process.
   */
  readonly onAnswer?: (answered: Answered) => unknown;
  /** Called with the error behind a 500, or behind an answer that broke off. Default: a warning of the process. */
  readonly onError?: (error: unknown, answered: Answered) => unknown;
}

/** An answer, and the caller who got it. */
export interface Answered {
  readonly requestId: string;
  readonly method: string;
  /** The path of the route, with the names of its parameters; null if no route matches. */
  readonly route: string | null;
  readonly status: number;
  readonly durationMs: number;
  /** Null if the caller is not authenticated. */
  readonly caller: Pick<Caller, 'tenantId' | 'keyId'> | null;
}

/** The validated options, with defaults. */
export interface Settings {
  readonly basePath: string;
  readonly auth: Authenticate | undefined;
  readonly maxBodyBytes: number;
  readonly maxWebhooks: number;
  /** Refuses a caller that exceeds the rate limit. */
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
/** One a day: a lower rate is surely a mistake. */
const leastPerSecond = 1 / 86_400;

/**
 * Validates the options. Throws `invalid_option` with the name of the option. An unknown option is refused, since it
 * would have no effect.
 */
export function settingsOf(options: ApiOptions): Settings {
  const own = parseOptions(options, known, 'createApi');
  const { basePath = '/v1/organizations', auth, maxBodyBytes = 262_144, maxWebhooks = 10_000 } = own;
  const { rateLimit = { perSecond: 100, burst: 1_000 }, testRateLimit = { perSecond: 1, burst: 10 } } = own;
  const { onAnswer = () => {}, onError = warn } = own;
  if (typeof basePath !== 'string' || !/^(?:\/[A-Za-z0-9._~-]+)*$/.test(basePath)) {
    throw invalid("basePath must be '' or a path like /v1/organizations, without a slash at its end");
  }
  for (const [name, value] of Object.entries({ auth, onAnswer, onError })) {
    if (value !== undefined && typeof value !== 'function') {
      throw invalid(`${name} must be a function, not ${describeType(value)}`);
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
    throw invalid(
      `${name} must be false or { perSecond, burst }: perSecond at least 1/86400, burst a whole number of at least 1`,
    );
  }
  return rateLimit({ perSecond, burst }, () => performance.now());
}

/** Emits a thrown value, which may be anything, as a warning of the process. */
export function warn(error: unknown): void {
  process.emitWarning(
    error instanceof Error ? error : `thrown value is not an Error but ${describeType(error)}`,
  );
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
