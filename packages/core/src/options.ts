import { z } from 'zod';
import type { AnyChannel, Channel } from './channels/channel.js';
import {
  type OrderingOptions,
  type OrderingPolicy,
  orderingPolicy,
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
} from './delivery/retry-policy.js';
import { type Duration, maxTimerMs, toMs } from './duration.js';
import { describeType, PosthornError } from './errors.js';
import type { EventCatalog } from './events/catalog.js';
import type { PayloadLimits } from './events/json-text.js';
import { createIds, type Ids } from './models/ids.js';
import { createEncryptor, type EncryptionOptions } from './secrets/encryption.js';
import { type WebhookSecrets, webhookSecrets } from './secrets/webhook-secrets.js';
import { StorageClock } from './storage/clock.js';
import type { Notifier, StorageAdapter } from './storage/ports.js';
import { parse, parseOptions } from './validation.js';

/** Options of `createDispatcher`. */
export interface DispatcherOptions<
  Tx = never,
  Catalog extends EventCatalog = EventCatalog,
  Channels extends AnyChannel = AnyChannel,
> {
  /** Where webhooks, events and deliveries are stored: `memoryStorage()`, or a durable storage. */
  readonly storage: StorageAdapter<Tx>;
  /** The channels that webhooks may use, each of another type. */
  readonly channels: readonly Channels[];
  /** The event types that may be dispatched, from `defineEvents`. Default: any event type, any JSON. */
  readonly events?: Catalog;
  /**
   * Whether a webhook may have a pattern that matches no event type of the catalog, such as `ordr.*`. `refuse` rejects it with
   * `invalid_webhook`; `allow` lets the catalog grow later. An exact name that is not in the catalog is always refused. Needs
   * `events`. Default `allow`.
   */
  readonly unmatchedPatterns?: 'allow' | 'refuse';
  /** When a failed delivery is retried. Default: eleven attempts in about 76 hours. */
  readonly retry?: RetryOptions;
  /** What deliveries behind a failed one with the same ordering key do. Default: they wait, for at most an hour. */
  readonly ordering?: OrderingOptions;
  /** How many deliveries this process sends at once: 1 to 100,000. Default 100. */
  readonly concurrency?: number;
  /** How many of them to one webhook, so that a slow webhook cannot take all: 1 to 100,000. Default 10. */
  readonly webhookConcurrency?: number;
  /**
   * How many of them to all webhooks of one tenant, so that its slow webhooks cannot take all: 1 to 100,000. Default: half of
   * `concurrency`, and all of it for the default tenant.
   */
  readonly tenantConcurrency?: number;
  /** The deadline of an attempt whose channel sets none. Default 15 s. */
  readonly attemptDeadline?: Duration;
  /** How long a claimed delivery is leased to this process. A heartbeat renews the lease. Default: `attemptDeadline` + 15 s. */
  readonly lease?: Duration;
  /** How often a started worker looks for due deliveries. Default 500 ms. */
  readonly pollInterval?: Duration;
  /** The limit of a payload in bytes of JSON: 2 to 67,108,864. Default 262,144. */
  readonly maxPayloadBytes?: number;
  /** How many levels of objects and arrays a payload may nest: 1 to 10,000. Default 64. */
  readonly maxPayloadDepth?: number;
  /** How long finished events are kept. A started dispatcher deletes older ones. `false` keeps them indefinitely. Default 30 days. */
  readonly retention?: Duration | false;
  /** Wakes the workers of other processes when there is work. Default: none; their polls find it. */
  readonly notifier?: Notifier;
  /** Encrypts signing secrets and secret configs at rest. Default: they are stored unencrypted. */
  readonly encryption?: EncryptionOptions;
  /** For tests: makes the ids. Default: from the system's random source. */
  readonly ids?: Ids;
  /**
   * For tests: the clock of the process, in milliseconds since 1970, also for waits. Default: `Date.now`, with
   * `performance.now` for waits, so that setting the machine's clock changes no wait.
   */
  readonly now?: () => number;
  /** For tests: the source of jitter, uniformly distributed in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

const numbers = z.object({
  concurrency: z.int().min(1).max(100_000).default(100),
  webhookConcurrency: z.int().min(1).max(100_000).default(10),
  tenantConcurrency: z.int().min(1).max(100_000).optional(),
  maxPayloadBytes: z
    .int()
    .min(2)
    .max(64 * 1024 * 1024)
    .default(256 * 1024),
  maxPayloadDepth: z.int().min(1).max(10_000).default(64),
});

/** Options that are used as given, and their types. */
const kinds = {
  now: 'function',
  random: 'function',
  events: 'object',
  ids: 'object',
  notifier: 'object',
} as const;

const known = [
  ...(['storage', 'channels', 'retry', 'ordering', 'encryption', 'unmatchedPatterns'] as const),
  ...(['attemptDeadline', 'lease', 'pollInterval', 'retention'] as const),
  ...(Object.keys(kinds) as (keyof typeof kinds)[]),
  ...(Object.keys(numbers.shape) as (keyof typeof numbers.shape)[]),
];

/** The checked options, with all defaults. */
export interface Settings {
  readonly concurrency: number;
  readonly webhookConcurrency: number;
  readonly tenantConcurrency: number;
  /** As `tenantConcurrency`, for the default tenant. */
  readonly defaultTenantConcurrency: number;
  readonly channels: ReadonlyMap<string, Channel>;
  readonly catalog: EventCatalog | undefined;
  readonly refusesUnmatched: boolean;
  readonly limits: PayloadLimits;
  readonly notifier: Notifier | undefined;
  readonly retry: RetryPolicy;
  readonly ordering: OrderingPolicy;
  readonly attemptDeadlineMs: number;
  readonly leaseMs: number;
  readonly pollMs: number;
  /** Undefined where events are kept indefinitely. */
  readonly retentionMs: number | undefined;
  readonly secrets: WebhookSecrets;
  readonly ids: Ids;
  readonly clock: StorageClock;
  /** The storage's time as this process knows it, in milliseconds since 1970. */
  readonly now: () => number;
  /** Monotonic time for waits, in milliseconds. */
  readonly monotonic: () => number;
  readonly random: () => number;
}

/** Checks the options. Throws `invalid_option`, naming the option, also for an unknown one. */
export function resolveOptions(options: DispatcherOptions<never>): Settings {
  if (options === undefined) throw invalid('createDispatcher needs options, at least storage and channels');
  const given = parseOptions(options, known, 'createDispatcher');
  const { attemptDeadline = '15s', pollInterval = '500ms', retention = '30d' } = given;
  checkKinds(given, kinds, '');
  const attemptDeadlineMs = positive(attemptDeadline, 'attemptDeadline');
  const monotonic = given.now ?? (() => performance.now());
  const clock = new StorageClock(given.now ?? Date.now, monotonic);
  const { now } = clock;
  const { lease = attemptDeadlineMs + 15_000, ids = createIds({ now }), random = Math.random } = given;
  const channels = channelsByType(given.channels);
  const counts = parse(numbers, given, 'invalid_option', 'options');
  const { concurrency, webhookConcurrency, tenantConcurrency = Math.ceil(concurrency / 2) } = counts;
  return {
    concurrency,
    webhookConcurrency,
    tenantConcurrency,
    defaultTenantConcurrency: counts.tenantConcurrency ?? concurrency,
    channels,
    catalog: given.events,
    refusesUnmatched: refusesUnmatched(given),
    limits: { maxBytes: counts.maxPayloadBytes, maxDepth: counts.maxPayloadDepth },
    notifier: given.notifier,
    secrets: webhookSecrets(createEncryptor(given.encryption), channels),
    retry: retryPolicy(given.retry),
    ordering: orderingPolicy(given.ordering),
    attemptDeadlineMs,
    leaseMs: positive(lease, 'lease'),
    pollMs: positive(pollInterval, 'pollInterval'),
    retentionMs: retentionOf(retention),
    ids,
    clock,
    now,
    monotonic,
    random,
  };
}

/** A longer retention may leave the range of a storage's dates. */
const maxRetentionMs = toMs('36500d', 'maxRetention');

function retentionOf(retention: Duration | false): number | undefined {
  if (retention === false) return undefined;
  const ms = toMs(retention, 'retention');
  if (ms > maxRetentionMs)
    throw invalid('retention must be at most 36500 days; false keeps events indefinitely');
  return ms;
}

function refusesUnmatched({ events, unmatchedPatterns }: Partial<DispatcherOptions<never>>): boolean {
  if (unmatchedPatterns === undefined) return false;
  if (unmatchedPatterns !== 'allow' && unmatchedPatterns !== 'refuse') {
    throw invalid("unmatchedPatterns must be 'allow' or 'refuse'");
  }
  if (!events) throw invalid('unmatchedPatterns needs events: without a catalog any pattern may match');
  return unmatchedPatterns === 'refuse';
}

function positive(duration: Duration, option: string): number {
  const ms = toMs(duration, option);
  if (ms < 1 || ms > maxTimerMs) throw invalid(`${option} must be from 1 ms to 24 days`);
  return ms;
}

/** Throws `invalid_option` for a field of another type. */
function checkKinds(holder: object, kinds: Readonly<Record<string, string>>, where: string): void {
  for (const [name, kind] of Object.entries(kinds)) {
    const value = (holder as Record<string, unknown>)[name];
    if (value === undefined || (typeof value === kind && value !== null)) continue;
    throw invalid(
      `${where}${name} must be ${kind === 'object' ? 'an' : 'a'} ${kind}, not ${describeType(value)}`,
    );
  }
}

/** Optional members of a channel, and their types. */
const channelKinds = {
  deadlineMs: 'function',
  preview: 'function',
  supportsDigests: 'boolean',
  takesCancellation: 'boolean',
} as const;

/** Whether `paths` are secret paths. A malformed path would leave its secret visible and unencrypted. */
function arePaths(paths: unknown): boolean {
  const isPath = (path: unknown) => Array.isArray(path) && path.every((name) => typeof name === 'string');
  return Array.isArray(paths) && paths.every(isPath);
}

function channelsByType(channels: readonly Channel[] | undefined): ReadonlyMap<string, Channel> {
  if (!Array.isArray(channels)) throw invalid(`channels must be an array, not ${describeType(channels)}`);
  const byType = new Map<string, Channel>();
  for (const [i, channel] of channels.entries()) {
    if (
      typeof channel?.type !== 'string' ||
      typeof channel.send !== 'function' ||
      !channel.config?.['~standard']
    ) {
      throw invalid(`channels[${i}] must have a type, a config schema and a send function`);
    }
    checkKinds(channel, channelKinds, `channels[${i}].`);
    if (channel.secretPaths !== undefined && !arePaths(channel.secretPaths)) {
      throw invalid(`channels[${i}].secretPaths must be an array of paths, like [['headers']]`);
    }
    if (byType.has(channel.type))
      throw invalid(`channels[${i}] must have a type of its own: ${channel.type} is taken`);
    byType.set(channel.type, channel);
  }
  return byType;
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
