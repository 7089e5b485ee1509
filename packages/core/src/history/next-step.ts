import type { Attempt, Delivery } from '../models/delivery.js';
import { waitsFor } from '../models/escalation.js';
import type { WebhookEvent } from '../models/event.js';
import type { ChannelBinding, Webhook } from '../models/webhook.js';

/** What happens next to an event on its way to a channel binding. */
export interface NextStep {
  /**
   * - `attempt`: an attempt is due at `at`.
   * - `result`: an attempt is in flight.
   * - `waits`: it waits for something whose time is unknown.
   * - `nothing`: it has ended, or never begins.
   */
  readonly what: 'attempt' | 'result' | 'waits' | 'nothing';
  /** When the `attempt` is due. Null otherwise. */
  readonly at: Date | null;
  /** The reason in words, for people. */
  readonly why: string;
}

const nothing = (why: string): NextStep => ({ what: 'nothing', at: null, why });
const waits = (why: string): NextStep => ({ what: 'waits', at: null, why });

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/**
 * Explains what happens next to a delivery. `last` is its last recorded attempt; `webhook` is undefined if it was
 * deleted.
 */
export function nextStepForDelivery(
  delivery: Delivery,
  last: Attempt | undefined,
  event: WebhookEvent,
  webhook: Webhook | undefined,
): NextStep {
  const { status, attempts, dueAt, createdAt } = delivery;
  const binding = webhook?.channels.find(({ id }) => id === delivery.bindingId);
  const lost = !webhook
    ? 'its webhook is deleted'
    : !binding
      ? 'the channel was removed from its webhook'
      : '';
  if (status === 'delivered') return nothing(`attempt ${attempts} delivered it`);
  if (status === 'dead') return nothing(whyDead(attempts, last));
  if (status === 'cancelled') return nothing(lost ? `it is cancelled: ${lost}` : 'it is cancelled');
  if (status === 'sending') {
    // A claimed delivery may still wait to be sent: an attempt counts once it begins.
    const isBegun = attempts > (last?.number ?? 0);
    const why = isBegun ? `attempt ${attempts} is in flight` : `attempt ${attempts + 1} is about to begin`;
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

/** Why a webhook is paused. */
export const whyPaused = ({ disabledReason }: Webhook): string =>
  disabledReason === null ? 'the webhook is paused' : `the engine has paused the webhook: ${disabledReason}`;

function whyDead(attempts: number, last: Attempt | undefined): string {
  if (last?.outcome === 'rejected') return `the receiver refused it for good at attempt ${attempts}`;
  if (last?.outcome === 'gone') return `the receiver was gone at attempt ${attempts}`;
  return `it was given up, tried ${times(attempts)}`;
}

/**
 * Explains what happens next for a binding that has no delivery of the event. `deliveries` are those of its webhook;
 * `tried` has their recorded attempts by delivery id.
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
  const { id, status, attemptsBeforeRetry } = delivery;
  if (status === 'delivered') return nothing(`${condition}, but ${other.channel} has delivered it`);
  if (status === 'cancelled') return nothing(`${condition}, but ${other.channel} was cancelled`);
  if (status === 'dead') return nothing(`${condition}, but ${other.channel} was given up before`);
  const failed = (tried.get(id) ?? []).filter(
    ({ number, kind }) => number > attemptsBeforeRetry + (kind === 'worker_lost' ? 1 : 0),
  );
  return waits(`${condition}; so far: ${failed.length}`);
}
