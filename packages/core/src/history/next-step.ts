import type { Attempt, Delivery } from '../models/delivery.js';
import { waitsFor } from '../models/escalation.js';
import type { Event } from '../models/event.js';
import type { ChannelBinding, Webhook } from '../models/webhook.js';

/** What happens next to an event on its way to a channel binding. */
export interface NextStep {
  /**
   * `attempt`: one is due at `at`; `result`: one is under way; `waits`: for something that nobody knows the time of;
   * `nothing`: it is over, or never begins.
   */
  readonly what: 'attempt' | 'result' | 'waits' | 'nothing';
  /** When, of an `attempt`; else null. */
  readonly at: Date | null;
  /** In words, for people. */
  readonly why: string;
}

const nothing = (why: string): NextStep => ({ what: 'nothing', at: null, why });
const waits = (why: string): NextStep => ({ what: 'waits', at: null, why });

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/** What happens next to a delivery; its webhook is undefined where it is deleted. `last` is its last attempt on record. */
export function stepOf(
  delivery: Delivery,
  last: Attempt | undefined,
  event: Event,
  webhook: Webhook | undefined,
): NextStep {
  const { status, attempts, dueAt, createdAt } = delivery;
  const binding = webhook?.channels.find(({ id }) => id === delivery.bindingId);
  const lost = !webhook ? 'its webhook is deleted' : !binding ? 'its webhook has dropped the channel' : '';
  if (status === 'delivered') return nothing(`attempt ${attempts} delivered it`);
  if (status === 'dead') return nothing(whyDead(attempts, last));
  if (status === 'cancelled') return nothing(lost ? `it is cancelled: ${lost}` : 'it is cancelled');
  if (status === 'sending') {
    // What was claimed may still wait for its turn: an attempt counts from when it begins.
    const isBegun = attempts > (last?.number ?? 0);
    const why = isBegun ? `attempt ${attempts} is under way` : `attempt ${attempts + 1} is about to begin`;
    return { what: 'result', at: null, why };
  }
  if (!webhook || !binding) return nothing(`it will be cancelled: ${lost}`);
  if (!webhook.isActive) return waits(whyPaused(webhook));
  if (binding.digest && attempts === 0 && dueAt! > createdAt) {
    const why = `it gathers in a digest until then, or until there are ${binding.digest.maxEvents} events, or as many bytes as fit`;
    return { what: 'attempt', at: dueAt, why };
  }
  const behind = event.orderingKey !== null && !binding.digest;
  const why = `attempt ${attempts + 1} is due${behind ? ', if nothing earlier with its ordering key is in its way' : ''}`;
  return { what: 'attempt', at: dueAt, why };
}

/** Why a paused webhook is paused. */
export const whyPaused = ({ disabledReason }: Webhook): string =>
  disabledReason === null ? 'the webhook is paused' : `the engine has paused the webhook: ${disabledReason}`;

function whyDead(attempts: number, last: Attempt | undefined): string {
  if (last?.outcome === 'rejected') return `the receiver refused it for good at attempt ${attempts}`;
  if (last?.outcome === 'gone') return `the receiver was gone at attempt ${attempts}`;
  return `it was given up, tried ${times(attempts)}`;
}

/**
 * What happens next to a binding that has no delivery of the event; `deliveries` are those of its webhook, `tried` their
 * attempts on record, by their ids.
 */
export function stepBefore(
  binding: ChannelBinding,
  { channels }: Pick<Webhook, 'channels'>,
  deliveries: readonly Delivery[],
  tried: ReadonlyMap<string, readonly Attempt[]>,
): NextStep {
  const { onlyAfter } = binding;
  const other = channels.find((one) => one.id !== binding.id && waitsFor(binding, one));
  if (!onlyAfter || !other) return nothing('no delivery was made for it when the event was published');
  const condition = `it begins when ${other.channel} has failed ${times(onlyAfter.failedAttempts)}`;
  const delivery = deliveries.find(({ bindingId }) => bindingId === other.id);
  if (!delivery) {
    const isNever = stepBefore(other, { channels }, deliveries, tried).what === 'nothing';
    if (isNever) return nothing(`${condition}, but ${other.channel} never begins`);
    return waits(`${condition}, and ${other.channel} has not begun`);
  }
  const { id, status, attemptsBefore } = delivery;
  if (status === 'delivered') return nothing(`${condition}, but ${other.channel} has delivered it`);
  if (status === 'cancelled') return nothing(`${condition}, but ${other.channel} was cancelled`);
  if (status === 'dead') return nothing(`${condition}, but ${other.channel} was given up before`);
  const failed = (tried.get(id) ?? []).filter(
    ({ number, kind }) => number > attemptsBefore + (kind === 'worker_lost' ? 1 : 0),
  );
  return waits(`${condition}; so far: ${failed.length}`);
}
