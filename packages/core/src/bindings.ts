import { validate } from './catalog.js';
import type { Channel } from './channel.js';
import { checkDigests } from './digest.js';
import { type Issue, invalidWebhook } from './errors.js';
import { checkEscalations } from './escalation.js';
import type { Ids } from './ids.js';
import type { ChannelBinding } from './models.js';

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

/** Gives each binding the id under which it is known, or a new one. */
export function identified(
  bindings: readonly (Omit<ChannelBinding, 'id'> & { readonly id?: string | undefined })[],
  present: readonly ChannelBinding[],
  ids: Ids,
): ChannelBinding[] {
  const free = new Map(present.map((binding) => [binding.id, binding]));
  for (const [i, { id }] of bindings.entries()) {
    if (id !== undefined && !free.delete(id)) {
      throw invalidWebhook([{ path: ['channels', i, 'id'], message: 'must be one of the webhook, once' }]);
    }
  }
  return bindings.map(({ id, ...rest }) => {
    const known = id ?? [...free.values()].find((binding) => binding.channel === rest.channel)?.id;
    if (known !== undefined) free.delete(known);
    return { id: known ?? ids.binding(), ...rest };
  });
}
