import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Event, Webhook } from '../models/models.js';
import type { Secret } from './mask.js';
import type { SecretPath } from './secret-paths.js';
import type { Verdict } from './verdict.js';

/** What a channel gets to send: frozen through and through, configs included. Who wants to change something copies it. */
export interface Message<Configs = unknown> {
  /** The same at every try, and no other message's. Of a digest that gathered, the digest's own name, `dig_…`. */
  readonly deliveryId: string;
  readonly attempt: number;
  /** How many attempts lie before the last retry that the application asked for. */
  readonly attemptsBefore: number;
  /** When this attempt began; a fresh one for each. */
  readonly startedAt: Date;
  readonly event: Event;
  /** The event's payload, parsed. `event.payload` is its text. */
  readonly payload: unknown;
  readonly webhook: Pick<Webhook, 'id' | 'tenantId' | 'name'>;
  /** What the binding holds, as the channel's own schema left it. */
  readonly configs: Configs;
  /** The webhook's signing keys that hold now, newest first. */
  readonly secrets: readonly Secret[];
  /** What the attempts before left for this one: the `memo` of the last verdict that had one. */
  readonly memo?: string;
  /** Of a digest, all its events, one or more, first to last; `event` and `payload` are the first one's. */
  readonly digest?: readonly DigestedEvent[];
}

/** One event of a digest. */
export interface DigestedEvent {
  readonly event: Event;
  /** Its payload, parsed. */
  readonly payload: unknown;
}

/** A piece of what would be sent, for people to look at: the body of a request, the subject of an email. */
export interface PreviewPart {
  readonly name: string;
  /** Its media type: `application/json`, `text/html`, `text/plain`, … */
  readonly type: string;
  readonly text: string;
}

/** A way to reach someone. Twenty-five lines make one: see docs/writing-a-channel.md. */
export interface Channel<Configs = unknown> {
  /** What webhooks call it: `webhook`, `slack`, … */
  readonly type: string;
  /** Checks a binding's configs when its webhook is saved; what it returns is stored. It may ask the network. */
  readonly config: StandardSchemaV1<unknown, Configs>;
  /**
   * What in its configs is secret: encrypted at rest where the dispatcher has keys, masked wherever configs are read,
   * and cut from what an answer or an error repeats. A number there is refused when a webhook is saved: only text can be
   * secret. Default: nothing.
   */
  readonly secretPaths?: readonly SecretPath[];
  /**
   * Tries once, and says how it went. `signal` aborts at the deadline, when the lease is lost, and at the end of a
   * stop's grace time. What is said after that is not heard; but after a grace time for a quarter of a second, where it is
   * `delivered`, or leaves a memo. What it throws counts as `failed`.
   */
  send(message: Message<Configs>, signal: AbortSignal): Promise<Verdict>;
  /**
   * Whether a `Cancellation` is enough for `send`, as it is for `outbound.request`. Its signal is then no more than that,
   * which costs a tenth. Default false: it is an AbortSignal.
   */
  readonly takesCancellation?: boolean;
  /**
   * What `send` would send of this message; nothing is sent, and nothing secret is shown. Rejects with `invalid_template`
   * where it cannot be rendered. Default: there is nothing to show.
   */
  preview?(message: Message<Configs>): Promise<readonly PreviewPart[]>;
  /** Says that `send` writes all events of a message's `digest`. Default false: a binding cannot ask for digests. */
  readonly takesDigests?: boolean;
  /** The deadline of one attempt where it is not the dispatcher's `attemptDeadline`. */
  deadlineMs?(configs: Configs): number;
}
