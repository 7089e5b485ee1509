import assert from 'node:assert/strict';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { newMessage, storedConfigs, within } from './sample.js';

/** Where a channel has no preview, there is nothing to hold it to. */
export const previewRules: readonly ChannelRule[] = topic<ChannelUnderTest>('preview', {
  'a preview sends nothing and tells no secret': async (under) => {
    const { channel } = under;
    if (!channel.preview) return;
    under.answer('success');
    for (const configs of under.configs) {
      const message = newMessage(await storedConfigs(under, configs));
      const parts = await within(10_000, channel.preview(message), 'preview');
      assert.equal(under.received().length, 0);
      ok(parts.length > 0, 'a preview shows something');
      for (const { name, type, text } of parts) {
        ok(typeof name === 'string' && name !== '', 'a part has a name');
        ok(/^[\w.+-]+\/[\w.+-]+(?:;.*)?$/.test(type), `the type of ${name} is no media type`);
        ok(typeof text === 'string', `the text of ${name} is text`);
      }
      const shown = JSON.stringify(parts);
      const keys = message.secrets.map((secret) => secret.reveal().replace(/^whs[a-z]+_/, ''));
      for (const secret of [...keys, ...(under.secrets ?? [])]) {
        ok(!shown.includes(secret), 'a preview holds a secret');
      }
    }
  },

  'a preview needs no signing key: the engine gives it none': async (under) => {
    const { channel } = under;
    if (!channel.preview) return;
    for (const configs of under.configs) {
      const message = { ...newMessage(await storedConfigs(under, configs)), secrets: [] };
      await within(10_000, channel.preview(message), 'preview');
    }
  },
});
