import { createDispatcher } from '@posthorn/core';
import { type Message, redact } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { ChannelRule, ChannelUnderTest } from './harness.js';
import { storedConfigs } from './sample.js';

/** Returns the signing keys of a message without their prefix: a key leaks just as well without it. */
export const keysOf = ({ secrets }: Pick<Message, 'secrets'>): string[] =>
  secrets.map((secret) => secret.reveal().replace(/^whs[a-z]+_/, ''));

/**
 * Whether `text` contains `secret`: as it is, escaped as in JSON, URLs or HTML, or in base64 as in basic
 * authentication.
 */
export function holds(text: string, secret: string): boolean {
  const decoded = (text.match(/[\w+/-]{8,}/g) ?? []).map((word) => Buffer.from(word, 'base64').toString());
  return redact(text, [secret]) !== text || [text, ...decoded].some((one) => one.includes(secret));
}

export const secretRules: readonly ChannelRule[] = topic<ChannelUnderTest>('secrets', {
  'every secret in its configs is covered by secretPaths, and masked where webhooks are read': async (
    under,
  ) => {
    const { channel, configs, secrets = [] } = under;
    if (channel.secretPaths?.length) {
      ok(secrets.length > 0, 'the channel has secretPaths, so the harness must list secrets');
    }
    const { webhooks } = createDispatcher({ storage: memoryStorage(), channels: [channel] });
    const unused = new Set(secrets);
    for (const given of configs) {
      const stored = JSON.stringify(await storedConfigs(under, given));
      const { id } = await webhooks.create({
        name: 'Orders',
        eventTypes: ['*'],
        channels: [{ channel: channel.type, configs: given }],
      });
      const read = JSON.stringify((await webhooks.get(id)).channels);
      for (const secret of secrets) {
        if (holds(stored, secret)) unused.delete(secret);
        ok(!holds(read, secret), 'a secret of the harness is visible to readers of the webhook');
      }
    }
    ok(unused.size === 0, 'each secret of the harness must occur in its configs');
  },
});
