import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { Channel } from '../channels/channel.js';
import { checkDigests } from '../channels/digest.js';
import { isTooDeep } from '../channels/secret-paths.js';
import { type Issue, invalidWebhook } from '../errors.js';
import { validate } from '../events/catalog.js';
import { checkEscalations } from '../models/escalation.js';
import type { Ids } from '../models/ids.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { IdentifiedBinding } from '../secrets/config-secrets.js';

/**
 * Checks the bindings, and resolves to them with the configs as their channels parsed them, in JSON form. `canGather`:
 * whether the storage supports digests. Rejects with `invalid_webhook`.
 */
export async function validateBindings(
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
        issues.push({ path: ['channels', i, 'channel'], message: `unknown channel: use ${known}` });
        return binding;
      }
      const result = await validate(
        askedOnce(channel.config),
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

type ConfigSchema = Channel['config'];

/**
 * Zod's standard schema runs an asynchronous schema twice: first synchronously, and again when that fails. Every
 * address would be looked up twice. Zod's own method runs it once.
 */
function askedOnce(schema: ConfigSchema): ConfigSchema {
  const asked = schema as Partial<z.ZodType>;
  if (schema['~standard'].vendor !== 'zod' || !asked.safeParseAsync) return schema;
  const validate = async (value: unknown) => {
    const { data, error } = await asked.safeParseAsync!(value);
    return error ? { issues: error.issues } : { value: data };
  };
  return { '~standard': { ...schema['~standard'], validate } };
}

function asJson(value: unknown, i: number): unknown {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    throw invalidWebhook([{ path: ['channels', i, 'configs'], message: 'must have a JSON form' }]);
  }
}

/** A binding as the application passes it. */
export type GivenBinding = Omit<ChannelBinding, 'id'> & { readonly id?: string | undefined };

/**
 * Gives each binding its present id, or a new one. A binding without an id is matched with a present one, in this
 * order: 1. the one whose configs look the same once `masked` has hidden the secrets; 2. the only one of its channel
 * that is left; 3. the next one of its channel by position: this match is unsure.
 *
 * Throws `invalid_webhook` for an id that the webhook does not have.
 */
export function assignBindingIds(
  bindings: readonly GivenBinding[],
  present: readonly ChannelBinding[],
  ids: Ids,
  masked: (channel: string, configs: unknown) => unknown,
): IdentifiedBinding[] {
  // Configs that nest too deep cannot be masked. They are refused later.
  const seen = ({ channel, configs }: GivenBinding): unknown =>
    isTooDeep(configs) ? configs : masked(channel, configs);
  const free = new Map(present.map((binding) => [binding.id, { ...binding, seen: seen(binding) }]));
  const known = new Map<GivenBinding, { readonly id: string; readonly isUnsure?: boolean }>();
  for (const [i, binding] of bindings.entries()) {
    const { id } = binding;
    if (id === undefined) continue;
    if (!free.delete(id)) {
      throw invalidWebhook([
        { path: ['channels', i, 'id'], message: 'must be the id of a channel of this webhook, used once' },
      ]);
    }
    known.set(binding, { id });
  }
  /** The bindings that are not matched yet. Empty if no present binding is left. */
  const unknown = () => (free.size === 0 ? [] : bindings.filter((binding) => !known.has(binding)));

  /** Matches `given` with `those` in order. `isUnsure` marks a match that could be another one. */
  function pair(given: readonly GivenBinding[], those: readonly ChannelBinding[], isUnsure: boolean): void {
    for (const [i, binding] of given.entries()) {
      const one = those[i];
      if (!one) return;
      free.delete(one.id);
      known.set(binding, isUnsure ? { id: one.id, isUnsure } : { id: one.id });
    }
  }

  // Equal looks first: by position alone, a binding could get the secrets of another and send them to the wrong place.
  for (const binding of unknown()) {
    if (known.has(binding)) continue;
    const own = seen(binding);
    const isAlike = (channel: string, looks: unknown): boolean =>
      channel === binding.channel && isDeepStrictEqual(looks, own);
    const given = unknown().filter((other) => isAlike(other.channel, seen(other)));
    const those = [...free.values()].filter((other) => isAlike(other.channel, other.seen));
    pair(given, those, given.length !== those.length);
  }
  for (const channel of new Set(unknown().map((binding) => binding.channel))) {
    const given = unknown().filter((binding) => binding.channel === channel);
    const those = [...free.values()].filter((binding) => binding.channel === channel);
    pair(given, those, given.length > 1 || those.length > 1);
  }
  return bindings.map((binding) => ({ ...binding, ...(known.get(binding) ?? { id: ids.binding() }) }));
}
