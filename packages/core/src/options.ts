import { z } from 'zod';
import type { Channel } from './channels/channel.js';
import {
  type OrderingOptions,
  type OrderingPolicy,
  orderingPolicy,
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
} from './delivery/decide.js';
import { optionsOf, parse } from './door.js';
import { type Duration, maxTimerMs, toMs } from './duration.js';
import { kindOf, PosthornError } from './errors.js';
import type { EventCatalog } from './events/catalog.js';
import type { PayloadLimits } from './events/json-text.js';
import { createIds, type Ids } from './models/ids.js';
import { createVault, type EncryptionOptions } from './secrets/vault.js';
import { type WebhookSecrets, webhookSecrets } from './secrets/webhook-secrets.js';
import { StorageClock } from './storage/clock.js';
import type { Notifier, Storage } from './storage/ports.js';

export interface DispatcherOptions<
  Tx = never,
  Catalog extends EventCatalog | undefined = EventCatalog | undefined,
> {
  /** Where everything rests: `memoryStorage()`, or a durable one. */
  readonly storage: Storage<Tx>;
  /** The ways to reach someone, each of another type. */
  // biome-ignore lint/suspicious/noExplicitAny: each channel has configs of its own, and checks them itself.
  readonly channels: readonly Channel<any>[];
  /** What may be dispatched, from `defineEvents`. Default: any event type, any JSON. */
  readonly events?: Catalog;
  /**
   * What becomes of a webhook with a pattern that covers no event type of the catalog, like `ordr.*`: it is refused
   * (`invalid_webhook`), or allowed, as the catalog may grow. Needs `events`. Default `allow`. An exact name that is not in
   * the catalog is always refused.
   */
  readonly unmatchedPatterns?: 'allow' | 'refuse';
  /** When a failed delivery is tried again. Default: eleven attempts in about 76 hours. */
  readonly retry?: RetryOptions;
  /** What becomes of deliveries behind a failed one with their ordering key. Default: they wait for an hour. */
  readonly ordering?: OrderingOptions;
  /** How many deliveries this process sends at a time. Default 100. */
  readonly concurrency?: number;
  /** How many of them to one webhook, so that a slow one cannot take them all. Default 10. */
  readonly webhookConcurrency?: number;
  /**
   * How many of them to all webhooks of one tenant, so that those that are slow cannot take them all. Default half of
   * `concurrency`; the tenant of an application that names none may have all, unless this says otherwise.
   */
  readonly tenantConcurrency?: number;
  /** How long an attempt may take, where its channel does not say. Default 15 s. */
  readonly attemptDeadline?: Duration;
  /** How long a claimed delivery is this process's alone; renewed by a heartbeat. Default: `attemptDeadline` + 15 s. */
  readonly lease?: Duration;
  /** How often a started worker looks for what is due. Default 500 ms. */
  readonly pollInterval?: Duration;
  /** How many bytes of JSON a payload may have. Default 262,144. */
  readonly maxPayloadBytes?: number;
  /** How deep a payload may nest. Default 64. */
  readonly maxPayloadDepth?: number;
  /** For how long finished events are kept; a started worker forgets older ones. `false` keeps them for ever. Default 30 days. */
  readonly retention?: Duration | false;
  /** Tells workers of other processes when there is work, and this one's. Default: none; the poll finds it. */
  readonly notifier?: Notifier;
  /** Encrypts signing secrets and secret configs at rest. Default: they rest in the clear. */
  readonly encryption?: EncryptionOptions;
  /** For tests: where ids come from. Default: the system's random source. */
  readonly ids?: Ids;
  /**
   * For tests: the process's clock, in milliseconds since 1970; waits go by it, too. Default: `Date.now`, and waits go by
   * `performance.now`, so that nothing happens when the machine's clock is set.
   */
  readonly now?: () => number;
  /** For tests: an even number from 0 to 1, for jitter. Default `Math.random`. */
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

/** What is used as it is given, and what it must be. */
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

/** The options, checked, with every default in its place. */
export interface Settings {
  readonly concurrency: number;
  readonly webhookConcurrency: number;
  readonly tenantConcurrency: number;
  /** That of the tenant of an application that names none. */
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
  /** Undefined where nothing is forgotten. */
  readonly retentionMs: number | undefined;
  readonly secrets: WebhookSecrets;
  readonly ids: Ids;
  readonly clock: StorageClock;
  /** The storage's time, as far as this process knows it, in milliseconds since 1970. */
  readonly now: () => number;
  /** For waits within this process, in milliseconds since some instant. */
  readonly monotonic: () => number;
  readonly random: () => number;
}

/** Throws `invalid_option`, naming the option; one that nobody knows is refused, since it would do nothing. */
export function settingsOf(options: DispatcherOptions<never>): Settings {
  if (options === undefined)
    throw invalid('createDispatcher takes options: a storage and channels, at least');
  const given = optionsOf(options, known, 'createDispatcher');
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
    secrets: webhookSecrets(createVault(given.encryption), channels),
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

/** Beyond it a storage's calendar may end. */
const maxRetentionMs = toMs('36500d', 'maxRetention');

function retentionOf(retention: Duration | false): number | undefined {
  if (retention === false) return undefined;
  const ms = toMs(retention, 'retention');
  if (ms > maxRetentionMs) throw invalid('retention must be at most 36500 days; false keeps events for ever');
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

/** Throws `invalid_option` for a field that is there, and of another kind. */
function checkKinds(holder: object, kinds: Readonly<Record<string, string>>, where: string): void {
  for (const [name, kind] of Object.entries(kinds)) {
    const value = (holder as Record<string, unknown>)[name];
    if (value === undefined || (typeof value === kind && value !== null)) continue;
    throw invalid(`${where}${name} must be ${kind === 'object' ? 'an' : 'a'} ${kind}, not ${kindOf(value)}`);
  }
}

/** What a channel may have, and what it must be. */
const channelKinds = {
  deadlineMs: 'function',
  preview: 'function',
  takesDigests: 'boolean',
  takesCancellation: 'boolean',
} as const;

/** Paths that are none lead nowhere: what they were to name would be shown, and rest in the clear. */
function arePaths(paths: unknown): boolean {
  const isPath = (path: unknown) => Array.isArray(path) && path.every((name) => typeof name === 'string');
  return Array.isArray(paths) && paths.every(isPath);
}

function channelsByType(channels: readonly Channel[] | undefined): ReadonlyMap<string, Channel> {
  if (!Array.isArray(channels)) throw invalid(`channels must be an array, not ${kindOf(channels)}`);
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
    if (byType.has(channel.type)) throw invalid(`channels[${i}]: there are two of type ${channel.type}`);
    byType.set(channel.type, channel);
  }
  return byType;
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
