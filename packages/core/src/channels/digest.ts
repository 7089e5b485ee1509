import { type Issue, invalidWebhook } from '../errors.js';
import type { WebhookEvent } from '../models/event.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { Channel, DigestedEvent } from './channel.js';
import type { Verdict } from './verdict.js';

/** Throws `invalid_webhook` where a binding has a digest that its channel cannot write or the storage cannot gather. */
export function checkDigests(
  bindings: readonly ChannelBinding[],
  channels: ReadonlyMap<string, Channel>,
  canGather: boolean,
): void {
  const issues: Issue[] = bindings.flatMap(({ digest, channel }, i) => {
    if (!digest) return [];
    const path = ['channels', i, 'digest'];
    if (!canGather) return [{ path, message: 'cannot be used: the storage does not gather digests' }];
    if (channels.get(channel)?.supportsDigests) return [];
    return [{ path, message: `cannot be used: the channel ${channel} does not write digests` }];
  });
  if (issues.length > 0) throw invalidWebhook(issues);
}

interface Claimed {
  readonly event: WebhookEvent;
  readonly binding: ChannelBinding | undefined;
  readonly digest?: readonly WebhookEvent[];
}

/**
 * The events that are sent as a digest: those gathered, or the single event to a binding with digests, so that its receiver
 * always gets arrays. Undefined where the event is sent by itself.
 */
export const digestOf = ({ event, binding, digest }: Claimed): readonly WebhookEvent[] | undefined =>
  digest ?? (binding?.digest && [event]);

/** The events of a digest, with their payloads parsed, for a channel. */
export const digested = (events: readonly WebhookEvent[]): readonly DigestedEvent[] =>
  events.map((event) => ({ event, payload: JSON.parse(event.payload) }));

/**
 * HTTP's "content too large" (RFC 9110 §15.5.14), and 552 in the answer to a message (RFC 1870 §6.1). Where the recipient
 * is to be retried, 552 means a full mailbox, or too many recipients at once (RFC 5321 §4.2.2, §4.5.3.1.10).
 */
const isTooLarge = ({ outcome, status }: Verdict): boolean =>
  outcome === 'rejected' ? status === 413 || status === 552 : outcome === 'failed' && status === 413;

/**
 * The next state of a digest that is too large for its receiver. It is split into halves; a single event that is too large
 * is dead, as a retry would be as large. Undefined for everything else.
 */
export function nextOfTooLarge(claimed: Claimed, verdict: Verdict): 'split' | 'dead' | undefined {
  const events = digestOf(claimed);
  if (!events || !isTooLarge(verdict)) return undefined;
  return events.length > 1 ? 'split' : 'dead';
}
