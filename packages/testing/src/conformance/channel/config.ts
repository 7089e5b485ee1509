import assert from 'node:assert/strict';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { storedConfigs } from './sample.js';

interface Refusal {
  readonly message: string;
  /** The names on the path to the invalid value. */
  readonly path: readonly string[];
}

async function refusalsOf({ channel }: ChannelUnderTest, configs: unknown): Promise<Refusal[]> {
  const { issues } = await channel.config['~standard'].validate(configs);
  ok(issues && issues.length > 0, `configs of ${JSON.stringify(configs)} must be refused`);
  return issues.map(({ message, path = [] }) => ({
    message,
    path: path.map((key) => String(typeof key === 'object' ? key.key : key)),
  }));
}

const canary = 'canary-3f9a';

export const configRules: readonly ChannelRule[] = topic<ChannelUnderTest>('config', {
  'its type is a valid channel name': async ({ channel }) => {
    const { type } = channel;
    ok(typeof type === 'string' && type.trim() === type, `type is ${JSON.stringify(type)}`);
    ok(type.length >= 1 && type.length <= 64, `type has ${type.length} characters`);
  },

  'accepts the configs that an application writes, and does not change them': async (under) => {
    ok(under.configs.length > 0, 'the harness has no sample configs');
    for (const configs of under.configs) {
      const given = JSON.stringify(configs);
      await storedConfigs(under, configs);
      assert.equal(JSON.stringify(configs), given);
    }
  },

  'its output for configs survives a database, and is accepted again unchanged': async (under) => {
    for (const configs of under.configs) {
      const result = await under.channel.config['~standard'].validate(configs);
      ok(!result.issues, 'sample configs are refused');
      const stored = JSON.parse(JSON.stringify(result.value));
      same(stored, result.value, 'written and read as JSON');
      same(await storedConfigs(under, stored), stored, 'saved a second time');
    }
  },

  'refuses a value that is not an object': async (under) => {
    for (const configs of [null, undefined, 'text', 1, true, []]) await refusalsOf(under, configs);
  },

  'refuses an empty object, and names each field that is missing': async (under) => {
    for (const { message, path } of await refusalsOf(under, {})) {
      ok(path.length > 0, `the issue "${message}" names no field`);
    }
  },

  'refuses an unknown field, and names it, so that a typo is not silently ignored': async (under) => {
    for (const configs of under.configs) {
      const refusals = await refusalsOf(under, { ...(configs as object), tpyo: canary });
      ok(
        refusals.some(({ message, path }) => path.includes('tpyo') || message.includes('tpyo')),
        `no issue names the field: ${JSON.stringify(refusals)}`,
      );
    }
  },

  'an issue never quotes a value: it may be a secret': async (under) => {
    const [first] = under.configs as [object];
    const wrong = Object.keys(first).map((field) => ({ ...first, [field]: { [canary]: canary } }));
    const unknown = { ...first, tpyo: canary };
    for (const configs of [...wrong, unknown, canary]) {
      const { issues = [] } = await under.channel.config['~standard'].validate(configs);
      for (const { message } of issues) ok(!message.includes(canary), `it quotes: ${message}`);
    }
  },

  'its own deadline is a duration that a timer can wait for': async (under) => {
    for (const configs of under.configs) {
      const deadlineMs = under.channel.deadlineMs?.(await storedConfigs(under, configs)) ?? 1;
      ok(deadlineMs > 0 && deadlineMs < 2 ** 31, `deadlineMs is ${deadlineMs}`);
    }
  },
});
