import type { Channel } from '../channels/channel.js';
import type { Webhook } from '../models/webhook.js';
import type { WebhookChange, WebhookRecord } from '../storage/webhook-store.js';
import { ConfigSecrets } from './config-secrets.js';
import type { EncryptionContext, Encryptor } from './encryption.js';
import { SigningKeys } from './signing-keys.js';

/*
 * The secrets of a webhook: its signing keys, and the secret parts of its configs, as its channels name them. They are
 * encrypted at rest, masked in reads, and decrypted only to send, to reveal or to change.
 */

export interface WebhookSecrets {
  /** Whether secrets are encrypted at rest. */
  readonly areEncrypted: boolean;
  readonly signingKeys: SigningKeys;
  readonly configs: ConfigSecrets;
  /** Returns the webhook as readers see it: without signing keys, and with masked configs. */
  maskWebhook(record: WebhookRecord): Webhook;
  /** Returns what has to be written so that all secrets are encrypted with the first key. Undefined where they are. */
  reencryptRecord(record: WebhookRecord): Required<Pick<WebhookChange, 'secrets' | 'channels'>> | undefined;
}

export function webhookSecrets(encryptor: Encryptor, channels: ReadonlyMap<string, Channel>): WebhookSecrets {
  const signingKeys = new SigningKeys(encryptor);
  const configs = new ConfigSecrets(encryptor, channels);
  return {
    areEncrypted: encryptor.hasKeys,
    signingKeys,
    configs,

    maskWebhook({ secrets, ...webhook }) {
      return {
        ...webhook,
        channels: webhook.channels.map((binding) => ({
          ...binding,
          configs: configs.mask(binding.channel, binding.configs),
        })),
      };
    },

    reencryptRecord(record) {
      let isChanged = false;
      const again = (text: string, place: EncryptionContext): string => {
        if (encryptor.isCurrent(text)) return text;
        isChanged = true;
        return encryptor.encrypt(encryptor.decrypt(text, place), place);
      };
      const change = {
        secrets: signingKeys.mapped(record, again),
        channels: configs.mapped(record, again),
      };
      return isChanged ? change : undefined;
    },
  };
}
