import { type Issue, invalidWebhook } from '../errors.js';
import type { ChannelBinding, Event } from '../models/models.js';
import type { Channel, DigestedEvent } from './channel.js';
import type { Verdict } from './verdict.js';

/** Throws `invalid_webhook` where a binding wants digests that its channel cannot write, or the storage not gather. */
export function checkDigests(
  bindings: readonly ChannelBinding[],
  channels: ReadonlyMap<string, Channel>,
  canGather: boolean,
): void {
  const issues: Issue[] = bindings.flatMap(({ digest, channel }, i) => {
    if (!digest) return [];
    const path = ['channels', i, 'digest'];
    if (!canGather) return [{ path, message: 'cannot be used: the storage does not gather digests' }];
    if (channels.get(channel)?.takesDigests) return [];
    return [{ path, message: `cannot be used: the channel ${channel} does not write digests` }];
  });
  if (issues.length > 0) throw invalidWebhook(issues);
}

interface Claimed {
  readonly event: Event;
  readonly binding: ChannelBinding | undefined;
  readonly digest?: readonly Event[];
}

/**
 * The events that go as a digest: those that were gathered, or the one that goes alone to a binding that wants digests,
 * so that whoever gets arrays gets nothing else. Undefined where the event goes by itself.
 */
export const digestOf = ({ event, binding, digest }: Claimed): readonly Event[] | undefined =>
  digest ?? (binding?.digest && [event]);

/** The events of a digest as a channel gets them. */
export const digested = (events: readonly Event[]): readonly DigestedEvent[] =>
  events.map((event) => ({ event, payload: JSON.parse(event.payload) }));

/**
 * HTTP's "content too large" (RFC 9110 §15.5.14), and the mail server's of a message (RFC 1870 §6.1). Of a recipient that is
 * to be asked again, 552 says that a mailbox is full, or that there are too many at once (RFC 5321 §4.2.2, §4.5.3.1.10).
 */
const isTooLarge = ({ outcome, status }: Verdict): boolean =>
  outcome === 'rejected' ? status === 413 || status === 552 : outcome === 'failed' && status === 413;

/**
 * What becomes of a digest that its receiver finds too large: its halves are tried, and so on; a single event that is too
 * large for it is dead, as it will be no smaller tomorrow. Undefined for everything else.
 */
export function nextOfTooLarge(claimed: Claimed, verdict: Verdict): 'split' | 'dead' | undefined {
  const events = digestOf(claimed);
  if (!events || !isTooLarge(verdict)) return undefined;
  return events.length > 1 ? 'split' : 'dead';
}
