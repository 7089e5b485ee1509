import { optionsOf } from '../door.js';
import { kindOf, PosthornError } from '../errors.js';
import type { Channel, Message } from './channel.js';
import { delivered, isVerdict } from './verdict.js';

/**
 * Takes an event. What it throws counts as `failed`, a verdict that it returns is one; whatever else it returns says that
 * the event was delivered.
 */
export type FunctionHandler<Configs = NoConfigs> = (
  message: Message<Configs>,
  signal: AbortSignal,
) => unknown;

/** What its bindings hold where they hold nothing: `{}`. */
export type NoConfigs = Readonly<Record<string, never>>;

/** What else a channel may say of itself; see `Channel`. `config` defaults to one that takes `{}` and nothing else. */
export type FunctionChannelOptions<Configs = NoConfigs> = Partial<
  Pick<Channel<Configs>, 'config' | 'secretPaths' | 'preview' | 'takesDigests' | 'deadlineMs'>
>;

const optionNames = ['config', 'secretPaths', 'preview', 'takesDigests', 'deadlineMs'] as const;

/**
 * A function of this process as a channel, so that a subscriber of your own has deliveries, retries and a log like any
 * other: `functionChannel('search-index', ({ payload }) => index.add(payload))`. A handler that does not heed its signal
 * goes on after its attempt has ended, and may then run twice at once. Throws `invalid_option`.
 */
export function functionChannel<Configs = NoConfigs>(
  name: string,
  handler: FunctionHandler<Configs>,
  options: FunctionChannelOptions<Configs> = {},
): Channel<Configs> {
  if (typeof name !== 'string' || name.trim() === '') {
    throw new PosthornError('invalid_option', 'a function channel needs a name');
  }
  if (typeof handler !== 'function') {
    throw new PosthornError(
      'invalid_option',
      `the handler of ${name} is no function, but ${kindOf(handler)}`,
    );
  }
  return {
    // `{}` is a value of whatever type the caller has in mind only where that type is left out.
    config: noConfigs as unknown as Channel<Configs>['config'],
    ...optionsOf(options, optionNames, 'functionChannel'),
    type: name,
    async send(message, signal) {
      const said = await handler(message, signal);
      return isVerdict(said) ? said : delivered();
    },
  };
}

const noConfigs: Channel<NoConfigs>['config'] = {
  '~standard': {
    version: 1,
    vendor: 'posthorn',
    validate(configs) {
      if (typeof configs !== 'object' || configs === null || Array.isArray(configs)) {
        return { issues: [{ message: `must be an object, not ${kindOf(configs)}` }] };
      }
      const fields = Object.keys(configs);
      if (fields.length === 0) return { value: {} };
      return {
        issues: fields.map((field) => ({ path: [field], message: 'is no field: it has no configs' })),
      };
    },
  },
};
