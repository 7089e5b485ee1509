import { type ApiKeys, apiKeysIn } from './api-keys/api-keys.js';
import { Background } from './delivery/background.js';
import { deliverer } from './delivery/deliver.js';
import { Hints } from './delivery/hints.js';
import { Patience } from './delivery/patience.js';
import { Recorder } from './delivery/recorder.js';
import { resultsBy } from './delivery/result.js';
import { Worker } from './delivery/worker.js';
import { optionsOf } from './door.js';
import { type Duration, maxTimerMs, toMs } from './duration.js';
import { kindOf, PosthornError } from './errors.js';
import type { EventCatalog, EventTypeOf, PayloadOf } from './events/catalog.js';
import { type GivenEvent, publisher } from './events/publish.js';
import { type Deliveries, type Events, logOf } from './history/log.js';
import { Retention } from './history/retention.js';
import { Announcer, type Lifecycle } from './lifecycle.js';
import type { EventDetails } from './models/models.js';
import { type DispatcherOptions, settingsOf } from './options.js';
import { Replayer } from './replays/replayer.js';
import { managedReplays, type Replays } from './replays/replays.js';
import type { NewEvent, Published } from './storage/ports.js';
import { usableStorage } from './storage/storage-port.js';
import { managedWebhooks, type Webhooks } from './webhooks/webhooks.js';

/** The caller's transaction, where the storage takes one: with a storage that does not, `tx` does not compile. */
export type TxOption<Tx> = [Tx] extends [never] ? { readonly tx?: never } : { readonly tx?: Tx };

export type DispatchOptions<Tx> = EventDetails & TxOption<Tx>;

/** An event for `dispatchMany`: its type, its payload, and what else may be said of it. */
export type DispatchItem<Catalog> = {
  [Type in EventTypeOf<Catalog>]: {
    readonly type: Type;
    readonly payload: PayloadOf<Catalog, Type>;
  } & EventDetails;
}[EventTypeOf<Catalog>];

/** What `dispatch` resolves to: the event's id, and how many deliveries it has. */
export type Dispatched = Published;

export interface StopOptions {
  /** How long deliveries under way may go on; then they are given back, uncounted. Default 10 s. */
  readonly grace?: Duration;
}

/** Most transactions that dispatch have committed by then; the poll finds what the others bring. */
const soonMs = 25;

/** The engine in this process. */
export interface Dispatcher<Tx = never, Catalog extends EventCatalog | undefined = undefined> {
  readonly webhooks: Webhooks;
  readonly events: Events;
  readonly deliveries: Deliveries;
  /** Keys to the management API. Each call rejects with `invalid_option` where the storage keeps none. */
  readonly apiKeys: ApiKeys;
  readonly replays: Replays;
  /** What may be dispatched, as it was handed in; undefined where that is anything. */
  readonly catalog: Catalog;
  /**
   * Stores the event and a delivery for each channel of each webhook that matches; once it resolves, each gets
   * attempts until one succeeds or none is left. The same `idempotencyKey` and event again: the first result.
   * Rejects, with nothing stored, with `invalid_event_type`, `unknown_event_type`, `invalid_payload`,
   * `payload_too_large`, `payload_too_deep`, `invalid_option`, `idempotency_conflict`,
   * `idempotency_key_in_use` (after 30 s), `storage_full` or `storage_failed` (after which it may have been stored: an `idempotencyKey` makes trying again safe).
   */
  dispatch<Type extends EventTypeOf<Catalog>>(
    type: Type,
    payload: PayloadOf<Catalog, Type>,
    options?: DispatchOptions<Tx>,
  ): Promise<Dispatched>;
  /** As `dispatch`, for several events at once: all are stored, or none. Resolves in their order. */
  dispatchMany(
    events: readonly DispatchItem<Catalog>[],
    options?: TxOption<Tx>,
  ): Promise<readonly Dispatched[]>;
  /** Begins to deliver, and keeps the process alive until `stop`. While a stop is under way, it begins when that is over. */
  start(): void;
  /** Claims no more, lets what is under way finish, gives back the rest. The dispatcher can be started again. */
  stop(options?: StopOptions): Promise<void>;
  /**
   * Delivers until nothing is due, whether started or not: for tests, cron and serverless. Retries that wait stay, and
   * so do the later steps of a replay.
   */
  drain(): Promise<void>;
  /**
   * Forgets finished events that are older than `retention`, with their deliveries, as a started dispatcher does by itself:
   * for processes that only drain. Resolves to how many events; 0 where `retention` is false. Rejects with `storage_failed`.
   */
  prune(): Promise<number>;
  /** Calls `listener` with each announcement; what it throws becomes an `error` announcement, and hurts nothing. */
  on<Name extends keyof Lifecycle>(name: Name, listener: Lifecycle[Name]): this;
  once<Name extends keyof Lifecycle>(name: Name, listener: Lifecycle[Name]): this;
  off<Name extends keyof Lifecycle>(name: Name, listener: Lifecycle[Name]): this;
}

function warnOfClearSecrets(): void {
  process.emitWarning('signing secrets and secret configs rest in the storage in the clear', {
    type: 'PosthornWarning',
    code: 'POSTHORN_CLEAR_SECRETS',
    detail: 'createDispatcher({ encryption: { keys: [{ id, key }] } }) encrypts them; see docs/security.md',
  });
}

/** Puts the engine together. Throws `invalid_option`. Nothing is delivered until `start` or `drain`. */
export function createDispatcher<Tx = never, const Catalog extends EventCatalog | undefined = undefined>(
  options: DispatcherOptions<Tx, Catalog>,
): Dispatcher<Tx, Catalog> {
  const settings = settingsOf(options);
  const storage = usableStorage(options.storage);
  const announcer = new Announcer();
  const shared = { ...settings, announcer };
  // What is nearly over may be over by the time that the receiver sees something.
  const leftMs = settings.leaseMs / 6;
  const limits = { maxBytes: settings.maxPayloadBytes, maxDepth: settings.maxPayloadDepth };

  /** Something became due: for this process's worker, or for another's where this one has its hands full. */
  const wake = () => {
    worker.wake();
    if (!worker.hasRoom) hints.send();
  };
  const canGather = storage.supports.digests;
  const webhooks = managedWebhooks({ ...shared, store: storage.webhooks, limits, canGather, wake });
  const recorder = new Recorder(
    {
      ...shared,
      deliveries: storage.deliveries,
      onRetry: (delayMs) => worker.wakeIn(delayMs),
      disable: webhooks.disable,
    },
    leftMs,
  );
  const patience = new Patience(settings.monotonic, settings.random);
  const results = resultsBy({ ...settings, patience });
  const worker = new Worker({
    ...shared,
    deliveries: storage.deliveries,
    recorder,
    deliverer: deliverer({ ...shared, results, recorder, leftMs }),
  });
  const hints = new Hints(settings.notifier, () => worker.wake(), announcer);
  const { check, prepare, timed, publish } = publisher({
    ...shared,
    deliveries: storage.deliveries,
    limits,
    worker,
    onWaiting: wake,
    onUncommitted: () => setTimeout(wake, soonMs).unref(),
  });
  let hasWarned = settings.secrets.areSealed || storage.isVolatile === true;
  const replayer = new Replayer({ storage, announcer, onDue: wake });
  const { prune: pruneReplays, ...replays } = managedReplays({
    ...settings,
    storage,
    wake: () => replayer.wake(),
  });
  const { retentionMs } = settings;
  const prunes = { log: storage.log, pruneReplays, announcer };
  const retention = retentionMs === undefined ? undefined : new Retention(prunes, retentionMs);
  const background = new Background([worker, hints, replayer, ...(retention ? [retention] : [])]);
  const { disable, ...publicWebhooks } = webhooks;

  function warnOnce(): void {
    if (!hasWarned) warnOfClearSecrets();
    hasWarned = true;
  }

  async function dispatchAll(
    given: readonly GivenEvent[],
    tx: Tx | undefined,
  ): Promise<readonly Dispatched[]> {
    // Read first, and at once: what the caller does with the payload afterwards changes nothing.
    const events = given.map(prepare);
    if (settings.catalog) await Promise.all(given.map(check));
    const timedEvents = await timed(given, events, tx);
    const published = await publish(timedEvents, tx);
    // Nobody says whether the caller's transaction commits: what may never have been is not announced.
    if (tx === undefined) {
      for (const [i, event] of timedEvents.entries()) announceDispatched(event, published[i]!);
    }
    return published;
  }

  function announceDispatched(
    { keys, idempotencyKey, fingerprint, ...event }: NewEvent,
    published: Published,
  ): void {
    // Another id is that of an earlier event with the same idempotency key: nothing was dispatched.
    if (published.eventId !== event.id) return;
    announcer.announce('event:dispatched', () => ({ event, deliveries: published.deliveries }));
  }

  return {
    webhooks: publicWebhooks,
    ...logOf({ ...shared, storage, wake }),
    apiKeys: apiKeysIn(storage.documents, settings.now, announcer),
    replays,
    catalog: options.events as Catalog,

    async dispatch(type, payload, options) {
      if (options === undefined) return (await dispatchAll([{ type, payload }], undefined))[0]!;
      if (typeof options !== 'object' || options === null) {
        throw new PosthornError(
          'invalid_option',
          `options of dispatch must be an object, not ${kindOf(options)}`,
        );
      }
      const { tx, ...details } = options;
      return (await dispatchAll([{ type, payload, details }], tx))[0]!;
    },

    async dispatchMany(items, options) {
      const { tx } = optionsOf(options as { readonly tx?: Tx } | undefined, ['tx'], 'dispatchMany');
      if (!Array.isArray(items) || items.some((item) => typeof item !== 'object' || item === null)) {
        throw new PosthornError('invalid_option', 'dispatchMany takes an array of events, { type, payload }');
      }
      return dispatchAll(
        items.map(({ type, payload, ...details }) => ({ type, payload, details })),
        tx,
      );
    },

    start() {
      warnOnce();
      background.start();
    },
    async stop(options) {
      const { grace = '10s' } = optionsOf(options, ['grace'], 'stop');
      await background.stop(Math.min(toMs(grace, 'grace'), maxTimerMs));
    },
    drain() {
      warnOnce();
      return replayer.drain(() => worker.drain());
    },
    prune: async () => (await retention?.prune()) ?? 0,

    on(name, listener) {
      announcer.on(name, listener);
      return this;
    },
    once(name, listener) {
      announcer.once(name, listener);
      return this;
    },
    off(name, listener) {
      announcer.off(name, listener);
      return this;
    },
  };
}
