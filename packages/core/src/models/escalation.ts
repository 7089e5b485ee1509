import { type Issue, invalidWebhook } from '../errors.js';
import type { ChannelBinding } from './webhook.js';

/** Whether `binding` waits for `other` to fail. */
export const waitsFor = ({ onlyAfter }: ChannelBinding, other: ChannelBinding): boolean =>
  onlyAfter !== undefined && (onlyAfter.channel === other.id || onlyAfter.channel === other.channel);

/**
 * Returns the ids of the bindings that begin after `failing` has failed `tries` times, Infinity where its delivery is dead.
 * That includes those that have begun before.
 */
export function escalationsOf(
  failing: ChannelBinding,
  bindings: readonly ChannelBinding[],
  tries: number,
): readonly string[] {
  return bindings
    .filter(
      (binding) =>
        binding.id !== failing.id && waitsFor(binding, failing) && tries >= binding.onlyAfter!.failedAttempts,
    )
    .map(({ id }) => id);
}

/** Throws `invalid_webhook` where `onlyAfter` names no binding or several, or where bindings wait for each other. */
export function checkEscalations(bindings: readonly ChannelBinding[]): void {
  const issues: Issue[] = bindings.flatMap((binding, i) => {
    if (!binding.onlyAfter) return [];
    const fault = faultOf(binding, bindings);
    return fault ? [{ path: ['channels', i, 'onlyAfter', 'channel'], message: fault }] : [];
  });
  if (issues.length > 0) throw invalidWebhook(issues);
}

function faultOf(binding: ChannelBinding, bindings: readonly ChannelBinding[]): string | undefined {
  const seen = new Set<ChannelBinding>();
  for (let at: ChannelBinding | undefined = binding; at?.onlyAfter; ) {
    if (seen.has(at)) return 'must not wait for a channel that waits for this one';
    seen.add(at);
    const awaited: ChannelBinding[] = bindings.filter((other) => other !== at && waitsFor(at!, other));
    if (at === binding && awaited.length === 0) return 'must name another channel of the webhook';
    if (at === binding && awaited.length > 1)
      return 'must name one channel, but several match: use the id of the binding';
    at = awaited[0];
  }
  return undefined;
}
