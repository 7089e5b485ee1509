import { EventEmitter } from 'eventemitter3';
import { describeType, PosthornError } from './errors.js';
import type { Attempt } from './models/delivery.js';
import type { WebhookEvent } from './models/event.js';
import type { Replay } from './models/replay.js';
import type { Webhook } from './models/webhook.js';

/** The delivery that an announcement is about. */
export interface DeliveryInfo<EventType extends string = string, ChannelType extends string = string> {
  readonly deliveryId: string;
  readonly tenantId: string;
  readonly eventId: string;
  readonly eventType: EventType;
  readonly webhookId: string;
  /** Null where its webhook has dropped the channel binding. */
  readonly channel: ChannelType | null;
  /** The attempt that ended. Null where nothing was sent. */
  readonly attempt: Attempt | null;
}

/** A delivery that is due again later. */
interface LaterDelivery<EventType extends string, ChannelType extends string>
  extends DeliveryInfo<EventType, ChannelType> {
  readonly retryInMs: number;
}

/** The announcements of a dispatcher, by name. Each follows the write that it is about, in the process that wrote. */
export interface Lifecycle<EventType extends string = string, ChannelType extends string = string> {
  /**
   * An event is stored with its deliveries. Not emitted for an event dispatched with `tx`, as the engine does not learn whether
   * the caller's transaction commits. Its deliveries are announced like all others.
   */
  'event:dispatched': (facts: {
    readonly event: WebhookEvent<EventType>;
    readonly deliveries: number;
  }) => void;
  /** The receiver has it. */
  'delivery:delivered': (facts: DeliveryInfo<EventType, ChannelType>) => void;
  /** An attempt failed. The next is due after `retryInMs`. */
  'delivery:failed': (facts: LaterDelivery<EventType, ChannelType>) => void;
  /**
   * The receiver refused it, or it was the last attempt. `attempt.outcome` is `gone` where the receiver is permanently gone. A
   * webhook with other channels stays active, and tries each later event there once until the channel is changed.
   */
  'delivery:dead': (facts: DeliveryInfo<EventType, ChannelType>) => void;
  /** Cancelled by `deliveries.cancel`, or because its webhook no longer has the channel binding. */
  'delivery:cancelled': (facts: DeliveryInfo<EventType, ChannelType>) => void;
  /** Its receiver limits its rate. It is due again after `retryInMs`. This is no failure and counts as no attempt. */
  'delivery:deferred': (facts: LaterDelivery<EventType, ChannelType>) => void;
  /** Released by a worker that is stopping. Another worker can claim it at once. */
  'delivery:released': (facts: DeliveryInfo<EventType, ChannelType>) => void;
  /** The lease was lost before the result was written: another worker has it, or it was cancelled. */
  'delivery:lost': (facts: DeliveryInfo<EventType, ChannelType>) => void;
  'webhook:created': (webhook: Webhook) => void;
  'webhook:updated': (webhook: Webhook) => void;
  'webhook:deleted': (facts: { readonly tenantId: string; readonly webhookId: string }) => void;
  /** Its only receiver is gone, and the engine disabled the webhook. Emitted once. */
  'webhook:disabled': (facts: { readonly webhook: Webhook; readonly reason: string }) => void;
  /** A replay is done. Not emitted for a cancelled one. */
  'replay:finished': (replay: Replay) => void;
  'worker:started': () => void;
  'worker:stopped': () => void;
  /** Something failed that has no caller to reject: the storage, a listener. The engine goes on. */
  error: (error: PosthornError) => void;
}

/** A listener to the announcements of `Name`. One to several names takes the facts of any of them. */
export type LifecycleListener<
  Name extends keyof Lifecycle,
  EventType extends string = string,
  ChannelType extends string = string,
> = (...facts: Parameters<Lifecycle<EventType, ChannelType>[Name]>) => void;

type Listener = (facts?: unknown) => unknown;

/** Emits announcements. An error that a listener throws or rejects with is emitted as `error`, and the next one is called. */
export class LifecycleEmitter {
  readonly #emitter = new EventEmitter<Record<string, Listener>>();
  /** By name, as one function may listen to several. */
  readonly #guarded = new Map<string, WeakMap<object, Listener>>();

  on<Name extends keyof Lifecycle>(name: Name, listener: LifecycleListener<Name>): void {
    this.#emitter.on(name, this.#guard(name, listener as Listener));
  }

  once<Name extends keyof Lifecycle>(name: Name, listener: LifecycleListener<Name>): void {
    this.#emitter.once(name, this.#guard(name, listener as Listener));
  }

  off<Name extends keyof Lifecycle>(name: Name, listener: LifecycleListener<Name>): void {
    const guarded = this.#guarded.get(name)?.get(listener);
    if (guarded) this.#emitter.off(name, guarded);
  }

  /** Calls the listeners of `name` with the result of `facts`, which is called only if there are any. */
  emit<Name extends keyof Lifecycle>(name: Name, ...[facts]: Facts<Name>): void {
    if (this.#emitter.listenerCount(name) > 0) this.#emitter.emit(name, facts?.());
    else if (name === 'error') process.emitWarning(facts?.() as PosthornError);
  }

  #guard(name: string, listener: Listener): Listener {
    if (typeof listener !== 'function') {
      throw new PosthornError(
        'invalid_option',
        `a listener of '${name}' must be a function, not ${describeType(listener)}`,
      );
    }
    const ofName = this.#guarded.get(name) ?? new WeakMap<object, Listener>();
    this.#guarded.set(name, ofName);
    const known = ofName.get(listener);
    if (known) return known;
    const failed = (cause: unknown) => {
      const error = new PosthornError('listener_failed', `a listener of '${name}' threw`, { cause });
      if (name === 'error') process.emitWarning(error);
      else this.emit('error', () => error);
    };
    const guarded: Listener = (facts) => {
      try {
        const result = listener(facts);
        if (result instanceof Promise) result.catch(failed);
      } catch (cause) {
        failed(cause);
      }
    };
    ofName.set(listener, guarded);
    return guarded;
  }
}

type Facts<Name extends keyof Lifecycle> =
  Parameters<Lifecycle[Name]> extends [infer First] ? [() => First] : [];
