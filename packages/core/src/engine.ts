import { type ApiKeys, apiKeysIn } from './api-keys/api-keys.js';
import { Background } from './delivery/background.js';
import { createExecutor } from './delivery/executor.js';
import { NotifierLink } from './delivery/notifier-link.js';
import { ReceiverThrottle } from './delivery/receiver-throttle.js';
import { Recorder } from './delivery/recorder.js';
import { createResults } from './delivery/results.js';
import { Worker } from './delivery/worker.js';
import { type GivenEvent, publisher } from './events/publish.js';
import { type Deliveries, type Events, logOf } from './history/log.js';
import { Retention } from './history/retention.js';
import { Announcer } from './lifecycle.js';
import type { Settings } from './options.js';
import { Replayer } from './replays/replayer.js';
import { managedReplays, type Replays } from './replays/replays.js';
import type { DeliveryStore, NewEvent, Published } from './storage/ports.js';
import type { UsableStorage } from './storage/storage-port.js';
import { type ManagedWebhooks, managedWebhooks, type Webhooks } from './webhooks/webhooks.js';

/** Most transactions that dispatch have committed by then. The poll finds the events of the others. */
const commitMs = 25;

/** The parts of a dispatcher, put together. */
export interface Engine<Tx> {
  readonly webhooks: Webhooks;
  readonly events: Events;
  readonly deliveries: Deliveries;
  readonly apiKeys: ApiKeys;
  readonly replays: Replays;
  /** Checks, stores and announces events: all of them, or none. */
  publish(given: readonly GivenEvent[], tx: Tx | undefined): Promise<readonly Published[]>;
  readonly worker: Worker;
  readonly replayer: Replayer;
  /** Undefined where events are kept for ever. */
  readonly retention: Retention | undefined;
  /** All that works from `start` to `stop`. */
  readonly background: Background;
  readonly announcer: Announcer;
}

/** Nothing works until its background is started, or its worker drained. */
export function createEngine<Tx>(settings: Settings, storage: UsableStorage<Tx>): Engine<Tx> {
  const { channels, secrets, catalog, limits, ids, clock, now, retentionMs } = settings;
  const announcer = new Announcer();
  const webhooks = managedWebhooks({
    store: storage.webhooks,
    announcer,
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
    announcer,
    webhooks.disable,
  );
  const replayer = new Replayer({ storage, announcer, onDue: wake });
  const { prune: pruneReplays, ...replays } = managedReplays({
    storage,
    ids,
    now,
    wake: () => replayer.wake(),
  });
  const retention =
    retentionMs === undefined
      ? undefined
      : new Retention({ log: storage.log, pruneReplays, announcer }, retentionMs);
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
    ...logOf({ storage, announcer, now, wake }),
    apiKeys: apiKeysIn(storage.documents, now, announcer),
    replays,
    worker,
    replayer,
    retention,
    background: new Background([worker, notifierLink, replayer, ...(retention ? [retention] : [])]),
    announcer,

    async publish(given, tx) {
      // Read first, and at once: what the caller does with the payload afterwards changes nothing.
      const events = given.map(prepare);
      if (catalog) await Promise.all(given.map(check));
      const timedEvents = await timed(given, events, tx);
      const published = await publish(timedEvents, tx);
      // The engine does not learn whether the caller's transaction commits, so its events are not announced.
      if (tx === undefined) {
        for (const [i, event] of timedEvents.entries()) announceDispatched(announcer, event, published[i]!);
      }
      return published;
    },
  };
}

/** What sends: the worker, with the links to other processes. `wake` is called when something became due. */
function createDelivery(
  settings: Settings,
  deliveries: DeliveryStore,
  announcer: Announcer,
  disable: ManagedWebhooks['disable'],
): { worker: Worker; notifierLink: NotifierLink; wake: () => void } {
  const { channels, secrets, retry, ordering, ids, clock, monotonic, random } = settings;
  const { leaseMs, attemptDeadlineMs } = settings;
  // A lease that is nearly over may be over by the time that the receiver gets something.
  const leftMs = leaseMs / 6;
  const throttle = new ReceiverThrottle(monotonic, random);
  const results = createResults({ channels, retry, ordering, ids, clock, monotonic, random, throttle });
  const recorder = new Recorder(
    { deliveries, clock, announcer, disable, onRetry: (delayMs) => worker.wakeIn(delayMs) },
    leftMs,
  );
  const executor = createExecutor({
    channels,
    secrets,
    attemptDeadlineMs,
    announcer,
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
    announcer,
    concurrency: settings.concurrency,
    webhookConcurrency: settings.webhookConcurrency,
    tenantConcurrency: settings.tenantConcurrency,
    defaultTenantConcurrency: settings.defaultTenantConcurrency,
  });
  const notifierLink = new NotifierLink(settings.notifier, () => worker.wake(), announcer);
  return {
    worker,
    notifierLink,
    /** For the worker of this process, or for another's where this one has no capacity. */
    wake() {
      worker.wake();
      if (!worker.hasCapacity) notifierLink.send();
    },
  };
}

function announceDispatched(
  announcer: Announcer,
  { keys, idempotencyKey, fingerprint, ...event }: NewEvent,
  published: Published,
): void {
  // Another id is that of an earlier event with the same idempotency key: nothing was dispatched.
  if (published.eventId !== event.id) return;
  announcer.announce('event:dispatched', () => ({ event, deliveries: published.deliveries }));
}
