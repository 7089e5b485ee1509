import type { ApiKeys } from './api-keys/api-keys.js';
import type { AnyChannel, Channel } from './channels/channel.js';
import { type Duration, maxTimerMs, toMs } from './duration.js';
import { createEngine } from './engine.js';
import { describeType, PosthornError } from './errors.js';
import type { EventCatalog, EventTypeOf, PayloadOf } from './events/catalog.js';
import type { GivenEvent } from './events/publish.js';
import type { Deliveries, Events } from './history/log.js';
import type { Lifecycle, LifecycleListener } from './lifecycle.js';
import type { EventDetails } from './models/event.js';
import { type DispatcherOptions, resolveOptions } from './options.js';
import type { Replays } from './replays/replays.js';
import { checkedStorage } from './storage/checked-storage.js';
import type { PublishResult } from './storage/ports.js';
import { parseOptions } from './validation.js';
import type { Webhooks } from './webhooks/webhooks.js';

/** The caller's transaction, for `dispatchMany`. */
interface TransactionOption<Tx> {
  /** The event is stored if it commits, and gone if it does not. With a storage that takes none, `tx` does not compile. */
  readonly tx?: Tx;
}

/** Options of `dispatch`: details of the event, and the transaction of the caller. */
export interface DispatchOptions<Tx> extends EventDetails, TransactionOption<Tx> {}

/** An event of one type for `dispatchMany`. */
interface DispatchItemOf<Type, Payload> extends EventDetails {
  readonly type: Type;
  readonly payload: Payload;
}

/** An event for `dispatchMany`: its type, its payload, and optional details. */
export type DispatchItem<Catalog extends EventCatalog> = {
  [Type in EventTypeOf<Catalog>]: DispatchItemOf<Type, PayloadOf<Catalog, Type>>;
}[EventTypeOf<Catalog>];

/** The result of `dispatch`: the id of the event, and how many deliveries it has. */
export type Dispatched = PublishResult;

/** Options of `stop`. */
export interface StopOptions {
  /** How long deliveries in flight may go on. Then they are released, uncounted. Default 10 s. */
  readonly grace?: Duration;
}

/**
 * The engine in this process. Its calls take the event types of the catalog and the channels of `createDispatcher`, each with its
 * configs. `Dispatcher<Tx>` is a dispatcher of any catalog and channels: its calls take any text, and check it when called.
 */
export interface Dispatcher<
  Tx = never,
  Catalog extends EventCatalog = EventCatalog,
  Channels extends AnyChannel = Channel,
> {
  readonly webhooks: Webhooks<EventTypeOf<Catalog>, Channels>;
  readonly events: Events<EventTypeOf<Catalog>>;
  readonly deliveries: Deliveries<EventTypeOf<Catalog>>;
  /** Keys to the management API. Each call rejects with `invalid_option` where the storage keeps none. */
  readonly apiKeys: ApiKeys;
  readonly replays: Replays<EventTypeOf<Catalog>>;
  /** The catalog, as it was given. Undefined without one: any event type may be dispatched. */
  // Readonly, a mapped type, makes the compiler compare two dispatchers member by member. By the variance of Catalog alone, one
  // with a catalog would not be a `Dispatcher<Tx>`.
  readonly catalog: Readonly<Catalog> | undefined;
  /**
   * Stores the event, and a delivery for each channel of each matching webhook. Once it resolves, each delivery gets attempts
   * until one succeeds or none is left. A call with the same `idempotencyKey` and event has the first result.
   *
   * Rejects, with nothing stored, with `invalid_event_type`, `unknown_event_type`, `invalid_payload`, `payload_too_large`,
   * `payload_too_deep`, `invalid_option`, `idempotency_conflict`, `idempotency_key_in_use` (after 30 s) or `storage_full`.
   * Rejects with `storage_failed` where the event may or may not have been stored: an `idempotencyKey` makes a retry safe.
   *
   * @example
   * await dispatcher.dispatch('order.created', { id: 'o_1' }, { idempotencyKey: 'order o_1 created' });
   */
  dispatch<Type extends EventTypeOf<Catalog>>(
    type: Type,
    payload: PayloadOf<Catalog, Type>,
    options?: DispatchOptions<Tx>,
  ): Promise<Dispatched>;
  /** As `dispatch`, for several events: all are stored, or none. Resolves in their order. */
  dispatchMany(
    events: readonly DispatchItem<Catalog>[],
    options?: TransactionOption<Tx>,
  ): Promise<readonly Dispatched[]>;
  /** Begins to deliver, and keeps the process alive until `stop`. During a stop, begins when the stop is over. */
  start(): void;
  /** Claims no more, lets deliveries in flight finish, and releases the rest. The dispatcher can be started again. */
  stop(options?: StopOptions): Promise<void>;
  /**
   * Delivers until nothing is due, whether started or not: for tests, cron and serverless. Retries that are due later stay,
   * and so do later steps of a replay.
   */
  drain(): Promise<void>;
  /**
   * Deletes finished events older than `retention`, with their deliveries. A started dispatcher does so by itself; this is for
   * processes that only drain. Resolves to the number of events, 0 where `retention` is false. Rejects with `storage_failed`.
   */
  prune(): Promise<number>;
  /** Calls `listener` with each announcement. An error that it throws is emitted as `error`. */
  on<Name extends keyof Lifecycle>(
    name: Name,
    listener: LifecycleListener<Name, EventTypeOf<Catalog>, Channels['type']>,
  ): this;
  once<Name extends keyof Lifecycle>(
    name: Name,
    listener: LifecycleListener<Name, EventTypeOf<Catalog>, Channels['type']>,
  ): this;
  off<Name extends keyof Lifecycle>(
    name: Name,
    listener: LifecycleListener<Name, EventTypeOf<Catalog>, Channels['type']>,
  ): this;
}

/**
 * Creates a dispatcher. Nothing is delivered until `start` or `drain`. Throws `invalid_option`, naming the option.
 *
 * @example
 * const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [httpChannel()] });
 * dispatcher.start();
 */
export function createDispatcher<
  Tx = never,
  const Catalog extends EventCatalog = EventCatalog,
  const Channels extends AnyChannel = AnyChannel,
>(options: DispatcherOptions<Tx, Catalog, Channels>): Dispatcher<Tx, Catalog, Channels> {
  const settings = resolveOptions(options);
  const storage = checkedStorage(options.storage);
  const { publish, worker, replayer, retention, background, lifecycle, ...parts } = createEngine(
    settings,
    storage,
  );
  let hasWarned = settings.secrets.areEncrypted || storage.isVolatile === true;

  function warnOnce(): void {
    if (!hasWarned) warnOfClearSecrets();
    hasWarned = true;
  }

  return {
    ...parts,
    catalog: options.events,

    async dispatch(type, payload, options) {
      const { event, tx } = givenEvent<Tx>(type, payload, options);
      return (await publish([event], tx))[0]!;
    },
    async dispatchMany(items, options) {
      const { tx } = parseOptions(options as { readonly tx?: Tx } | undefined, ['tx'], 'dispatchMany');
      return publish(givenEvents(items), tx);
    },

    start() {
      warnOnce();
      background.start();
    },
    async stop(options) {
      const { grace = '10s' } = parseOptions(options, ['grace'], 'stop');
      await background.stop(Math.min(toMs(grace, 'grace'), maxTimerMs));
    },
    drain() {
      warnOnce();
      return replayer.drain(() => worker.drain());
    },
    prune: async () => (await retention?.prune()) ?? 0,

    on(name, listener) {
      lifecycle.on(name, listener);
      return this;
    },
    once(name, listener) {
      lifecycle.once(name, listener);
      return this;
    },
    off(name, listener) {
      lifecycle.off(name, listener);
      return this;
    },
  };
}

/** The arguments of `dispatch`, taken apart. */
function givenEvent<Tx>(
  type: string,
  payload: unknown,
  options: DispatchOptions<Tx> | undefined,
): { event: GivenEvent; tx: Tx | undefined } {
  if (options === undefined) return { event: { type, payload }, tx: undefined };
  if (typeof options !== 'object' || options === null) {
    throw new PosthornError(
      'invalid_option',
      `options of dispatch must be an object, not ${describeType(options)}`,
    );
  }
  const { tx, ...details } = options;
  return { event: { type, payload, details }, tx };
}

/** The events of `dispatchMany`, taken apart. */
function givenEvents(items: readonly ({ type: string; payload: unknown } & EventDetails)[]): GivenEvent[] {
  if (!Array.isArray(items) || items.some((item) => typeof item !== 'object' || item === null)) {
    throw new PosthornError('invalid_option', 'dispatchMany takes an array of events, { type, payload }');
  }
  return items.map(({ type, payload, ...details }) => ({ type, payload, details }));
}

function warnOfClearSecrets(): void {
  process.emitWarning('signing secrets and secret configs rest in the storage in the clear', {
    type: 'PosthornWarning',
    code: 'POSTHORN_CLEAR_SECRETS',
    detail: 'createDispatcher({ encryption: { keys: [{ id, key }] } }) encrypts them; see docs/security.md',
  });
}
