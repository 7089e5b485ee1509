import { PosthornError } from '@posthorn/core';
import { parseOptions } from '@posthorn/core/channel';
import type { GuardOptions } from './guard.js';
import { type OutboundPolicy, policyOf } from './policy.js';
import type { PoolsOptions } from './pools.js';
import { authoritiesOf } from './trust.js';

/** Options of `createOutbound`. */
export interface OutboundOptions {
  /** Where requests may go. Default: `https:`, public addresses, all ports except those of other services. */
  readonly policy?: OutboundPolicy;
  /** Deadline of a request, from DNS to the last byte of the body. Default 15,000. */
  readonly timeoutMs?: number;
  /** Timeout for DNS, TCP and TLS together, within `timeoutMs`. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Cap on the response headers. Default 16 KiB. */
  readonly maxHeaderBytes?: number;
  /**
   * How much of the response body is kept. Up to 64 KiB are read, or `maxBodyBytes` if that is more. Default 16 KiB.
   */
  readonly maxBodyBytes?: number;
  /** Cap on 1xx responses before the final response. Default 10. */
  readonly maxInformational?: number;
  /** Cap on connections to one destination. Further requests wait for a free one. Default 128. */
  readonly connections?: number;
  /**
   * How long an idle connection is kept. A receiver's `Keep-Alive` header can shorten it. Most receivers close idle
   * connections after 5 seconds. Default 4,000.
   */
  readonly keepAliveMs?: number;
  /**
   * Maximum age of a connection that a request may begin on (`guardedDispatcher` sends one more request on an older
   * one). The name is then resolved again, so that a receiver that has moved is found. Default: 5 × `keepAliveMs`.
   */
  readonly maxConnectionAgeMs?: number;
  /** Cap on destinations with kept connections. The least recently used one makes room for a new one. Default 1,000. */
  readonly maxOrigins?: number;
  /** Certificates of additional authorities to trust, in PEM, e.g. for receivers in a private network. */
  readonly ca?: string | readonly string[];
}

/** The validated options, with all defaults applied. */
export interface OutboundSettings extends Omit<PoolsOptions, 'connect'>, Omit<GuardOptions, 'trust'> {
  readonly timeoutMs: number;
  readonly ca: readonly string[];
}

const defaults = {
  policy: {} as OutboundPolicy,
  timeoutMs: 15_000,
  connectTimeoutMs: 5_000,
  maxHeaderBytes: 16 * 1024,
  maxBodyBytes: 16 * 1024,
  maxInformational: 10,
  connections: 128,
  keepAliveMs: 4_000,
  maxConnectionAgeMs: undefined as number | undefined,
  maxOrigins: 1_000,
  ca: [] as string | readonly string[],
};

const allNames = Object.keys(defaults) as (keyof OutboundOptions)[];

const maxTimeoutMs = 3_600_000;

/** Validates the options. `names` are the options that `what` accepts. Throws `invalid_option`, naming the option. */
export function settingsOf(
  options: OutboundOptions,
  what = 'createOutbound',
  names: readonly (keyof OutboundOptions)[] = allNames,
): OutboundSettings {
  const own = parseOptions(options, names, what);
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const settings: typeof defaults = { ...defaults, ...given };
  checkTimeout(settings.timeoutMs);
  checkNumber('connectTimeoutMs', settings.connectTimeoutMs, 1, maxTimeoutMs);
  checkNumber('maxHeaderBytes', settings.maxHeaderBytes, 1_024, 1_048_576);
  checkNumber('maxBodyBytes', settings.maxBodyBytes, 0, 16_777_216);
  checkNumber('maxInformational', settings.maxInformational, 0, 1_000);
  checkNumber('connections', settings.connections, 1, 10_000);
  checkNumber('keepAliveMs', settings.keepAliveMs, 1, maxTimeoutMs);
  const { maxConnectionAgeMs = settings.keepAliveMs * 5 } = settings;
  checkNumber('maxConnectionAgeMs', maxConnectionAgeMs, 1, maxTimeoutMs * 5);
  checkNumber('maxOrigins', settings.maxOrigins, 1, 1_000_000);
  const policy = policyOf(settings.policy);
  return { ...settings, maxConnectionAgeMs, policy, ca: authoritiesOf(settings.ca, 'ca') };
}

/** Throws `invalid_option`. */
export function checkTimeout(timeoutMs: number): void {
  checkNumber('timeoutMs', timeoutMs, 1, maxTimeoutMs);
}

function checkNumber(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new PosthornError('invalid_option', `${name} must be a whole number from ${min} to ${max}`);
  }
}
