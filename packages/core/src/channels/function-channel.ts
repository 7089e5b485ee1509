import { describeType, PosthornError } from '../errors.js';
import { parseOptions } from '../validation.js';
import type { Channel, Message } from './channel.js';
import { delivered, isVerdict } from './verdict.js';

/**
 * Handles an event. An error that it throws counts as `failed`. A verdict that it returns is used; any other value means
 * `delivered`.
 */
export type FunctionHandler<Configs = NoConfigs> = (
  message: Message<Configs>,
  signal: AbortSignal,
) => unknown;

/** The configs of a channel without any: `{}`. */
export type NoConfigs = Readonly<Record<string, never>>;

/** Optional members of the channel: see `Channel`. `config` defaults to a schema that accepts `{}` only. */
export interface FunctionChannelOptions<Configs = NoConfigs, Input = Configs>
  extends Partial<Pick<Channel<Configs, string, Input>, (typeof optionNames)[number]>> {}

const optionNames = ['config', 'secretPaths', 'preview', 'supportsDigests', 'deadlineMs'] as const;

/**
 * Creates a channel that calls a function of this process, so that a subscriber of your own has deliveries, retries and a log
 * like any other: `functionChannel('search-index', ({ payload }) => index.add(payload))`. A handler that ignores its signal
 * goes on after its attempt has ended, and may then run twice at once. Throws `invalid_option`.
 */
export function functionChannel<Type extends string, Configs = NoConfigs, Input = Configs>(
  name: Type,
  handler: FunctionHandler<Configs>,
  options: FunctionChannelOptions<Configs, Input> = {},
): Channel<Configs, Type, Input> {
  if (typeof name !== 'string' || name.trim() === '') {
    throw new PosthornError('invalid_option', 'a function channel needs a name');
  }
  if (typeof handler !== 'function') {
    throw new PosthornError(
      'invalid_option',
      `the handler of ${name} must be a function, not ${describeType(handler)}`,
    );
  }
  return {
    // Sound only where the caller leaves the type of the configs out.
    config: noConfigs as unknown as Channel<Configs, Type, Input>['config'],
    ...parseOptions(options, optionNames, 'functionChannel'),
    type: name,
    async send(message, signal) {
      const returned = await handler(message, signal);
      return isVerdict(returned) ? returned : delivered();
    },
  };
}

const noConfigs: Channel<NoConfigs>['config'] = {
  '~standard': {
    version: 1,
    vendor: 'posthorn',
    validate(configs) {
      if (typeof configs !== 'object' || configs === null || Array.isArray(configs)) {
        return { issues: [{ message: `must be an object, not ${describeType(configs)}` }] };
      }
      const fields = Object.keys(configs);
      if (fields.length === 0) return { value: {} };
      return {
        issues: fields.map((field) => ({
          path: [field],
          message: 'unknown field: this channel has no configs',
        })),
      };
    },
  },
};
