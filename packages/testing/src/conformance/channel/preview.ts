import assert from 'node:assert/strict';
import type { Message, PreviewPart } from '@posthorn/core/channel';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { newDigest, newMessage, send, storedConfigs, within } from './sample.js';
import { holds, keysOf } from './secrets.js';

/** Calls the preview without signing keys, as the engine does. */
async function previewOf({ channel }: ChannelUnderTest, message: Message): Promise<readonly PreviewPart[]> {
  return within(10_000, channel.preview!({ ...message, secrets: [] }), 'preview');
}

/** Parses JSON, because a preview formats it for people; splits other text into lines. */
function contentOf(text: string, isJson: boolean): unknown {
  return isJson ? JSON.parse(text) : text.replace(/\r\n?/g, '\n').trimEnd();
}

const isJson = (type: string): boolean => /^application\/(?:[\w.-]+\+)?json\b/.test(type);

/** A channel without a preview passes. */
export const previewRules: readonly ChannelRule[] = topic<ChannelUnderTest>('preview', {
  'a preview sends nothing and contains no secret': async (under) => {
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
        ok(/^[\w.+-]+\/[\w.+-]+(?:;.*)?$/.test(type), `the type of ${name} must be a media type`);
        ok(typeof text === 'string', `the text of ${name} must be a string`);
        for (const secret of [...keysOf(message), ...(under.secrets ?? [])]) {
          ok(!holds(`${name}\n${text}`, secret), `the part ${name} of a preview contains a secret`);
        }
      }
    }
  },

  'a preview shows what is sent, for an event and for a digest': async (under) => {
    const { channel } = under;
    if (!channel.preview) return;
    under.answer('success');
    for (const given of under.configs) {
      const configs = await storedConfigs(under, given);
      const digests = channel.supportsDigests ? [newDigest(configs, ['amber7', 'basil8', 'cedar9'])] : [];
      for (const message of [newMessage(configs, '{"orderId":"o1","note":"<b> & *x*"}'), ...digests]) {
        const previewed = new Map((await previewOf(under, message)).map((part) => [part.name, part]));
        assert.equal((await send(under, message)).outcome, 'delivered');
        const { parts = {} } = under.received().at(-1)!;
        ok(
          Object.keys(parts).length > 0,
          'the harness must provide the parts that the receiver got: `received()[].parts`',
        );
        for (const [name, sent] of Object.entries(parts)) {
          const part = previewed.get(name);
          ok(part, `the receiver got a part ${name} that the preview does not show`);
          const json = isJson(part.type);
          same(
            contentOf(part.text, json),
            contentOf(sent, json),
            `the part ${name} of the preview differs from the one that was sent`,
          );
        }
      }
    }
  },

  'a preview needs no signing keys: the engine provides none': async (under) => {
    if (!under.channel.preview) return;
    for (const configs of under.configs) {
      await previewOf(under, newMessage(await storedConfigs(under, configs)));
    }
  },
});
