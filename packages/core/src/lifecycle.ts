import { EventEmitter } from 'eventemitter3';
import { kindOf, PosthornError } from './errors.js';
import type { Attempt, Event, Webhook } from './models/models.js';
import type { Replay } from './models/replay.js';

/** The delivery an announcement speaks of. */
export interface DeliveryFacts {
  readonly deliveryId: string;
  readonly tenantId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly webhookId: string;
  /** Null where its webhook has dropped the channel binding. */
  readonly channel: string | null;
  /** The attempt this is about; null where nothing was sent. */
  readonly attempt: Attempt | null;
}

/** What the engine announces, and with what. Each comes after the write it speaks of, in the process that wrote. */
export interface Lifecycle {
  /**
   * An event is stored with its deliveries. Not announced of one that was dispatched with `tx`: the engine never learns
   * whether the caller's transaction commits. Its deliveries are announced as all others are.
   */
  'event:dispatched': (facts: { readonly event: Event; readonly deliveries: number }) => void;
  'delivery:delivered': (facts: DeliveryFacts) => void;
  /** An attempt failed; the next is due after `retryInMs`. */
  'delivery:failed': (facts: DeliveryFacts & { readonly retryInMs: number }) => void;
  /**
   * The receiver refused it, or it was the last attempt. `attempt.outcome` is `gone` where the receiver is gone for good: a
   * webhook with other channels goes on, and each later event is tried there once, until someone changes the channel.
   */
  'delivery:dead': (facts: DeliveryFacts) => void;
  /** By `deliveries.cancel`, or because its webhook no longer has the channel binding. */
  'delivery:cancelled': (facts: DeliveryFacts) => void;
  /** Its receiver is busy: it was given back, and is due again after `retryInMs`. Nothing has failed, or is counted. */
  'delivery:postponed': (facts: DeliveryFacts & { readonly retryInMs: number }) => void;
  /** Given back by a stopping worker; another starts it at once. */
  'delivery:released': (facts: DeliveryFacts) => void;
  /** The lease was gone before the result was written: another worker has it, or it was cancelled meanwhile. */
  'delivery:lost': (facts: DeliveryFacts) => void;
  'webhook:created': (webhook: Webhook) => void;
  'webhook:updated': (webhook: Webhook) => void;
  'webhook:deleted': (facts: { readonly tenantId: string; readonly webhookId: string }) => void;
  /** Its only receiver answered that it is gone, and the engine paused the webhook. Announced once. */
  'webhook:disabled': (facts: { readonly webhook: Webhook; readonly reason: string }) => void;
  /** A replay has come to its end; one that is cancelled is not announced. */
  'replay:finished': (replay: Replay) => void;
  'worker:started': () => void;
  'worker:stopped': () => void;
  /** Something failed that no caller waits for: the storage, a listener. The engine goes on. */
  error: (error: PosthornError) => void;
}

type Listener = (facts?: unknown) => unknown;

/** An emitter whose listeners cannot hurt it: what one throws or rejects is announced as `error`, and the next is called. */
export class Announcer {
  readonly #emitter = new EventEmitter<Record<string, Listener>>();
  /** By name, because one function may listen to several. */
  readonly #guarded = new Map<string, WeakMap<object, Listener>>();

  on<Name extends keyof Lifecycle>(name: Name, listener: Lifecycle[Name]): void {
    this.#emitter.on(name, this.#guard(name, listener as Listener));
  }

  once<Name extends keyof Lifecycle>(name: Name, listener: Lifecycle[Name]): void {
    this.#emitter.once(name, this.#guard(name, listener as Listener));
  }

  off<Name extends keyof Lifecycle>(name: Name, listener: Lifecycle[Name]): void {
    const guarded = this.#guarded.get(name)?.get(listener);
    if (guarded) this.#emitter.off(name, guarded);
  }

  /** Calls the listeners of `name` with what `facts` returns; asks it only if there are any. */
  announce<Name extends keyof Lifecycle>(name: Name, ...[facts]: Facts<Name>): void {
    if (this.#emitter.listenerCount(name) > 0) this.#emitter.emit(name, facts?.());
    else if (name === 'error') process.emitWarning(facts?.() as PosthornError);
  }

  #guard(name: string, listener: Listener): Listener {
    if (typeof listener !== 'function') {
      throw new PosthornError(
        'invalid_option',
        `a listener of '${name}' must be a function, not ${kindOf(listener)}`,
      );
    }
    const ofName = this.#guarded.get(name) ?? new WeakMap<object, Listener>();
    this.#guarded.set(name, ofName);
    const known = ofName.get(listener);
    if (known) return known;
    const failed = (cause: unknown) => {
      const error = new PosthornError('listener_failed', `a listener of '${name}' threw`, { cause });
      if (name === 'error') process.emitWarning(error);
      else this.announce('error', () => error);
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
