import { createHash } from 'node:crypto';
import { isPosthornError } from '../errors.js';
import { matchKeys } from '../matching.js';
import { type EventDetails, eventDetailsSchema } from '../models/event.js';
import type { Ids } from '../models/ids.js';
import { batchKeyedCalls, type KeyedWrite } from '../storage/batch-keyed-calls.js';
import { batchCalls } from '../storage/batch-writer.js';
import type { StorageClock } from '../storage/clock.js';
import type { Claim, ClaimOptions, DeliveryStore, NewEvent, PublishResult } from '../storage/ports.js';
import { parse } from '../validation.js';
import { checkPayload, type EventCatalog } from './catalog.js';
import type { PayloadLimits } from './json-text.js';
import { payloadText } from './payload.js';

/** An event as the application gives it. */
export interface GivenEvent {
  readonly type: string;
  readonly payload: unknown;
  readonly details?: EventDetails | undefined;
}

export interface PublisherOptions<Tx> {
  readonly deliveries: DeliveryStore<Tx>;
  readonly catalog: EventCatalog | undefined;
  readonly limits: PayloadLimits;
  readonly ids: Ids;
  readonly clock: StorageClock;
  /** The worker of this process, which may send at once what it has room for. */
  readonly worker: {
    /** How many deliveries it could take over now; `take` must follow. */
    reserve(): ClaimOptions | undefined;
    take(claims: readonly Claim[], since: number): void;
  };
  /** Called when deliveries were stored that this process has not claimed. */
  readonly onWaiting: () => void;
  /** Called when the caller's transaction holds deliveries. The engine does not learn when it commits. */
  readonly onUncommitted: () => void;
}

export interface Publisher<Tx> {
  /** Checks the payload by the catalog, where there is one. */
  check(given: GivenEvent): Promise<void>;
  /** Checks everything else and assigns the id. Stores nothing. */
  prepare(given: GivenEvent): NewEvent;
  /** Sets ids and times anew by the storage's clock where this process did not know it. */
  timed(given: readonly GivenEvent[], events: readonly NewEvent[], tx?: Tx): Promise<readonly NewEvent[]>;
  /** Stores the events of one call: all or none. */
  publish(events: readonly NewEvent[], tx?: Tx): Promise<readonly PublishResult[]>;
}

const maxBatch = 1000;
/** How far the clock may be off in the first event of a process. */
const toleratedMs = 1_000;
const maxKnownTypes = 10_000;
const noDetails = parse(eventDetailsSchema, {}, 'invalid_option', 'event details');

export function publisher<Tx>(options: PublisherOptions<Tx>): Publisher<Tx> {
  const { deliveries, catalog, limits, ids, clock, worker, onWaiting, onUncommitted } = options;
  const patternsOfType = new Map<string, readonly string[]>();

  function patternsOf(type: string): readonly string[] {
    let patterns = patternsOfType.get(type);
    if (!patterns) {
      patterns = matchKeys(type);
      if (patternsOfType.size >= maxKnownTypes) patternsOfType.clear();
      patternsOfType.set(type, patterns);
    }
    return patterns;
  }

  async function check({ type, payload }: GivenEvent): Promise<void> {
    if (catalog) await checkPayload(catalog, type, payload);
  }

  function prepare({ type, payload, details }: GivenEvent): NewEvent {
    const matchingPatterns = patternsOf(type);
    const given = details ? parse(eventDetailsSchema, details, 'invalid_option', 'event details') : noDetails;
    // Field by field: spreading objects would be most of the cost of an event.
    const event: NewEvent = {
      id: ids.event(),
      tenantId: given.tenantId,
      type,
      payload: payloadText(payload, limits),
      occurredAt: given.occurredAt ?? new Date(clock.now()),
      namespaceId: given.namespaceId,
      subject: given.subject,
      cacheScope: given.cacheScope && payloadText(given.cacheScope, limits, 'cacheScope'),
      orderingKey: given.orderingKey,
      matchingPatterns,
    };
    const { idempotencyKey } = given;
    if (idempotencyKey === undefined) return event;
    return { ...event, idempotencyKey, fingerprint: fingerprintOf(event, given.occurredAt) };
  }

  async function write(events: readonly NewEvent[], keyed?: KeyedWrite): Promise<readonly PublishResult[]> {
    // Capacity reserved for a publish that waits for a transaction would be missing elsewhere.
    const prefetch = keyed?.isHeld ? undefined : worker.reserve();
    const asked = clock.read();
    let claims: readonly Claim[] = [];
    try {
      const result = await deliveries.publish(events, {
        ...(prefetch && { prefetch }),
        ...(keyed && { keyWaitMs: keyed.keyWaitMs }),
      });
      claims = result.claims;
      clock.set(result.at, asked);
      const count = result.published.reduce((sum, event) => sum + event.deliveries, 0);
      if (claims.length < count || claims.length === prefetch?.limit) onWaiting();
      return result.published;
    } finally {
      if (prefetch) worker.take(claims, asked.monotonic);
    }
  }

  async function timed(
    given: readonly GivenEvent[],
    events: readonly NewEvent[],
    tx?: Tx,
  ): Promise<readonly NewEvent[]> {
    if (clock.isSet) return events;
    const before = clock.now();
    // Asks a second time where the machine has slept meanwhile, and no more.
    for (let asks = 0; asks < 2 && !clock.isSet; asks++) {
      const asked = clock.read();
      // In the caller's transaction, which may hold the only connection.
      const { at } = await (tx === undefined ? deliveries.begin([], 0) : deliveries.publish([], { tx }));
      clock.set(at, asked);
    }
    if (Math.abs(clock.now() - before) < toleratedMs) return events;
    return events.map((event, i) => ({
      ...event,
      id: ids.event(),
      occurredAt: given[i]!.details?.occurredAt ?? new Date(clock.now()),
    }));
  }

  const batches = { maxItems: maxBatch, shouldSplit: isRefused };
  const gathered = batchCalls((events: readonly NewEvent[]) => write(events), batches);
  const gatheredKeyed = batchKeyedCalls(write, batches);

  return {
    check,
    prepare,
    timed,
    async publish(events, tx) {
      if (events.length === 0) return [];
      if (tx === undefined) return (events.some(isKeyed) ? gatheredKeyed : gathered)(events);
      const asked = clock.read();
      const { published, at } = await deliveries.publish(events, { tx });
      clock.set(at, asked);
      onUncommitted();
      return published;
    },
  };
}

const isKeyed = ({ idempotencyKey }: NewEvent): boolean => idempotencyKey !== undefined;

/** Whether the error is about the events of one call. The other calls of its batch are not affected. */
const isRefused = (error: unknown): boolean => isPosthornError(error) && error.code !== 'storage_failed';

/** Hashes what makes two events the same. The time counts only where the application gave it. */
function fingerprintOf(event: NewEvent, occurredAt: Date | undefined): string {
  const { type, namespaceId, subject, cacheScope, orderingKey, payload } = event;
  const rest = [type, namespaceId, subject?.type, subject?.id, cacheScope, occurredAt?.toISOString()];
  // Last, and only where there is one, so that fingerprints of earlier versions stay equal.
  if (orderingKey !== null) rest.push(orderingKey);
  return createHash('sha256').update(JSON.stringify(rest)).update(payload).digest('base64url');
}
