import { type ApiKeys, createApiKeys } from './api-keys/api-keys.js';
import { Background } from './delivery/background.js';
import { createExecutor } from './delivery/executor.js';
import { NotifierLink } from './delivery/notifier-link.js';
import { ReceiverThrottle } from './delivery/receiver-throttle.js';
import { Recorder } from './delivery/recorder.js';
import { createResults } from './delivery/results.js';
import { Worker } from './delivery/worker.js';
import { type GivenEvent, publisher } from './events/publish.js';
import { createHistory, type Deliveries, type Events } from './history/log.js';
import { Retention } from './history/retention.js';
import { LifecycleEmitter } from './lifecycle.js';
import type { Settings } from './options.js';
import { ReplayRunner } from './replays/replay-runner.js';
import { createReplays, type Replays } from './replays/replays.js';
import type { CheckedStorage } from './storage/checked-storage.js';
import type { DeliveryStore, NewEvent, PublishResult } from './storage/ports.js';
import { createWebhooks, type ManagedWebhooks, type Webhooks } from './webhooks/webhooks.js';

/** Most transactions that dispatch have committed after this time. The poll finds the events of the others. */
const commitMs = 25;

/** The parts of a dispatcher, put together. */
export interface Engine<Tx> {
  readonly webhooks: Webhooks;
  readonly events: Events;
  readonly deliveries: Deliveries;
  readonly apiKeys: ApiKeys;
  readonly replays: Replays;
  /** Checks and stores events, all of them or none, and emits `event:dispatched`. */
  publish(given: readonly GivenEvent[], tx: Tx | undefined): Promise<readonly PublishResult[]>;
  readonly worker: Worker;
  readonly replayer: ReplayRunner;
  /** Undefined if events are never deleted. */
  readonly retention: Retention | undefined;
  /** The parts that run from `start` to `stop`. */
  readonly background: Background;
  readonly lifecycle: LifecycleEmitter;
}

/** Puts the parts together. Nothing runs until the background is started, or the worker drained. */
export function createEngine<Tx>(settings: Settings, storage: CheckedStorage<Tx>): Engine<Tx> {
  const { channels, secrets, catalog, limits, ids, clock, now, retentionMs } = settings;
  const lifecycle = new LifecycleEmitter();
  const webhooks = createWebhooks({
    store: storage.webhooks,
    lifecycle,
    channels,
    secrets,
    catalog,
    limits,
    ids,
    now,
    refusesUnmatched: settings.refusesUnmatched,
    attemptDeadlineMs: settings.attemptDeadlineMs,
    canGather: storage.supports.digests,
    wake: () => wake(),
  });
  const { worker, notifierLink, wake } = createDelivery(
    settings,
    storage.deliveries,
    lifecycle,
    webhooks.disable,
  );
  const replayer = new ReplayRunner({ storage, lifecycle, onDue: wake });
  const { prune: pruneReplays, ...replays } = createReplays({
    storage,
    ids,
    now,
    wake: () => replayer.wake(),
  });
  const retention =
    retentionMs === undefined
      ? undefined
      : new Retention({ log: storage.log, pruneReplays, lifecycle }, retentionMs);
  const { check, prepare, timed, publish } = publisher({
    deliveries: storage.deliveries,
    catalog,
    limits,
    ids,
    clock,
    worker,
    onWaiting: wake,
    onUncommitted: () => setTimeout(wake, commitMs).unref(),
  });
  const { disable, ...publicWebhooks } = webhooks;

  return {
    webhooks: publicWebhooks,
    ...createHistory({ storage, lifecycle, now, wake }),
    apiKeys: createApiKeys(storage.documents, now, lifecycle),
    replays,
    worker,
    replayer,
    retention,
    background: new Background([worker, notifierLink, replayer, ...(retention ? [retention] : [])]),
    lifecycle,

    async publish(given, tx) {
      // Reads the payloads synchronously, before any await: the caller may change them afterwards.
      const events = given.map(prepare);
      if (catalog) await Promise.all(given.map(check));
      const timedEvents = await timed(given, events, tx);
      const published = await publish(timedEvents, tx);
      // The engine does not learn whether the caller's transaction commits, so it emits nothing for its events.
      if (tx === undefined) {
        for (const [i, event] of timedEvents.entries()) announceDispatched(lifecycle, event, published[i]!);
      }
      return published;
    },
  };
}

/** Creates the worker and its link to other processes. Call `wake` when a delivery became due. */
function createDelivery(
  settings: Settings,
  deliveries: DeliveryStore,
  lifecycle: LifecycleEmitter,
  disable: ManagedWebhooks['disable'],
): { worker: Worker; notifierLink: NotifierLink; wake: () => void } {
  const { channels, secrets, retry, ordering, ids, clock, monotonic, random } = settings;
  const { leaseMs, attemptDeadlineMs } = settings;
  // An attempt does not begin with less than this left of its lease: the lease could expire before the receiver is reached.
  const leftMs = leaseMs / 6;
  const throttle = new ReceiverThrottle(monotonic, random);
  const results = createResults({ channels, retry, ordering, ids, clock, monotonic, random, throttle });
  const recorder = new Recorder(
    { deliveries, clock, lifecycle, disable, onRetry: (delayMs) => worker.wakeIn(delayMs) },
    leftMs,
  );
  const executor = createExecutor({
    channels,
    secrets,
    attemptDeadlineMs,
    lifecycle,
    results,
    recorder,
    leaseMs,
    leftMs,
    clock,
    monotonic,
  });
  const worker = new Worker({
    deliveries,
    executor,
    recorder,
    leaseMs,
    pollMs: settings.pollMs,
    clock,
    monotonic,
    lifecycle,
    concurrency: settings.concurrency,
    webhookConcurrency: settings.webhookConcurrency,
    tenantConcurrency: settings.tenantConcurrency,
    defaultTenantConcurrency: settings.defaultTenantConcurrency,
  });
  const notifierLink = new NotifierLink(settings.notifier, () => worker.wake(), lifecycle);
  return {
    worker,
    notifierLink,
    /** Wakes the worker of this process. If that has no capacity, notifies the other processes, too. */
    wake() {
      worker.wake();
      if (!worker.hasCapacity) notifierLink.send();
    },
  };
}

function announceDispatched(
  lifecycle: LifecycleEmitter,
  { matchingPatterns, idempotencyKey, fingerprint, ...event }: NewEvent,
  published: PublishResult,
): void {
  // A different id is that of an earlier event with the same idempotency key: nothing was dispatched.
  if (published.eventId !== event.id) return;
  lifecycle.emit('event:dispatched', () => ({ event, deliveries: published.deliveries }));
}
