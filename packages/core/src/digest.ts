import type { Channel, DigestedEvent } from './channel.js';
import { type Issue, invalidWebhook } from './errors.js';
import type { ChannelBinding, Event } from './models.js';

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
  readonly binding: ChannelBinding;
  readonly digest?: readonly Event[];
}

/**
 * The events that go as a digest: those that were gathered, or the one that goes alone to a binding that wants digests,
 * so that whoever gets arrays gets nothing else. Undefined where the event goes by itself.
 */
export const digestOf = ({ event, binding, digest }: Claimed): readonly Event[] | undefined =>
  digest ?? (binding.digest && [event]);

/** The events of a digest as a channel gets them. */
export const digested = (events: readonly Event[]): readonly DigestedEvent[] =>
  events.map((event) => ({ event, payload: JSON.parse(event.payload) }));
