import assert from 'node:assert/strict';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { newDigest, send, storedConfigs } from './sample.js';

/**
 * Each name is the last segment of one event's type, the id of its subject, and part of its payload: a channel may show
 * any of them.
 */
const names = ['amber7', 'basil8', 'cedar9', 'dahlia6', 'elder5'];

/** A channel that does not support digests passes. */
export const digestRules: readonly ChannelRule[] = topic<ChannelUnderTest>('digest', {
  'a digest sends all its events in one message': async (under) => {
    if (!under.channel.supportsDigests) return;
    under.answer('success');
    for (const count of [1, 2, names.length]) {
      const wanted = names.slice(0, count);
      const digest = newDigest(await storedConfigs(under, under.configs[0]), wanted);
      const before = under.received().length;
      const { outcome } = await send(under, digest);
      assert.equal(outcome, 'delivered');
      assert.equal(under.received().length, before + 1, 'a digest is one message');
      const { parts } = under.received()[before]!;
      ok(parts, 'the harness must provide the parts that the receiver got: `received()[].parts`');
      const shown = Object.values(parts).join('\n');
      const ids = digest.digest!.map(({ event }) => event.id);
      const missing = wanted.filter((name, i) => !shown.includes(name) && !shown.includes(ids[i]!));
      assert.deepEqual(missing, [], `a digest of ${count} events lacks some of them`);
    }
  },

  'a digest is accepted with each of the configs, including those with a template': async (under) => {
    if (!under.channel.supportsDigests) return;
    under.answer('success');
    for (const [i, configs] of under.configs.entries()) {
      const verdict = await send(under, newDigest(await storedConfigs(under, configs), names));
      assert.equal(verdict.outcome, 'delivered', `with configs ${i}: ${JSON.stringify(verdict)}`);
    }
  },
});
