import { isDeepStrictEqual } from 'node:util';
import { validate } from './catalog.js';
import type { Channel } from './channel.js';
import { checkDigests } from './digest.js';
import { type Issue, invalidWebhook } from './errors.js';
import { checkEscalations } from './escalation.js';
import type { Ids } from './ids.js';
import type { ChannelBinding } from './models.js';
import { isTooDeep } from './secret-paths.js';

/**
 * The bindings with their configs as their channels have them, and as JSON keeps them. `canGather` says whether the
 * storage gathers digests. Throws `invalid_webhook`.
 */
export async function bindingsIn(
  bindings: readonly ChannelBinding[],
  channels: ReadonlyMap<string, Channel>,
  canGather: boolean,
): Promise<readonly ChannelBinding[]> {
  checkEscalations(bindings);
  checkDigests(bindings, channels, canGather);
  const issues: Issue[] = [];
  const checked = await Promise.all(
    bindings.map(async (binding, i) => {
      const channel = channels.get(binding.channel);
      if (!channel) {
        const known = [...channels.keys()].join(', ') || 'none';
        issues.push({ path: ['channels', i, 'channel'], message: `no such channel; there is ${known}` });
        return binding;
      }
      const result = await validate(
        channel.config,
        binding.configs,
        'invalid_webhook',
        `channels.${i}.configs`,
      );
      if ('value' in result) return { ...binding, configs: asJson(result.value, i) };
      issues.push(
        ...result.issues.map(({ path, message }) => ({ path: ['channels', i, 'configs', ...path], message })),
      );
      return binding;
    }),
  );
  if (issues.length > 0) throw invalidWebhook(issues);
  return checked;
}

function asJson(value: unknown, i: number): unknown {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    throw invalidWebhook([{ path: ['channels', i, 'configs'], message: 'must have a JSON form' }]);
  }
}

/** A binding as an application hands it in. */
export type GivenBinding = Omit<ChannelBinding, 'id'> & { readonly id?: string | undefined };

/**
 * Gives each binding the id under which it is known, or a new one. One that comes without an id is the present one whose
 * configs look the same to a reader, as `masked` shows them; what is left goes by its place among its channel's. Throws
 * `invalid_webhook` for an id that is none of the webhook's.
 */
export function identified(
  bindings: readonly GivenBinding[],
  present: readonly ChannelBinding[],
  ids: Ids,
  masked: (channel: string, configs: unknown) => unknown,
): ChannelBinding[] {
  // What nests too deep cannot be masked, and is refused later.
  const seen = ({ channel, configs }: GivenBinding): unknown =>
    isTooDeep(configs) ? configs : masked(channel, configs);
  const free = new Map(present.map((binding) => [binding.id, { ...binding, seen: seen(binding) }]));
  for (const [i, { id }] of bindings.entries()) {
    if (id !== undefined && !free.delete(id)) {
      throw invalidWebhook([{ path: ['channels', i, 'id'], message: 'must be one of the webhook, once' }]);
    }
  }
  function take(channel: string, fits: (seen: unknown) => boolean): string | undefined {
    const found = [...free.values()].find((one) => one.channel === channel && fits(one.seen));
    if (found) free.delete(found.id);
    return found?.id;
  }
  // First all that look the same: by its place alone one would get the secrets of another, and send them elsewhere.
  const known = bindings.map((binding) => {
    if (binding.id !== undefined) return binding.id;
    const own = seen(binding);
    return take(binding.channel, (other) => isDeepStrictEqual(other, own));
  });
  return bindings.map(({ id: _, ...binding }, i) => ({
    id: known[i] ?? take(binding.channel, () => true) ?? ids.binding(),
    ...binding,
  }));
}
