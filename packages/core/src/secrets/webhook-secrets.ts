import type { Channel } from '../channels/channel.js';
import type { Webhook } from '../models/webhook.js';
import type { WebhookChange, WebhookRecord } from '../storage/webhook-store.js';
import { ConfigSecrets } from './config-secrets.js';
import type { EncryptionContext, Encryptor } from './encryption.js';
import { SigningKeys } from './signing-keys.js';

/*
 * What is secret about a webhook: its signing keys, and what its channels say is secret in their configs. At rest it is
 * sealed, in what is read it is masked, and it is opened for nothing but sending, `revealSecret` and a change.
 */

export interface WebhookSecrets {
  /** Whether they are sealed at rest. */
  readonly areSealed: boolean;
  readonly signingKeys: SigningKeys;
  readonly configs: ConfigSecrets;
  /** A webhook as its readers see it. */
  readable(record: WebhookRecord): Webhook;
  /** What has to be written so that all is sealed by the first key; undefined where it is. */
  resealed(record: WebhookRecord): Required<Pick<WebhookChange, 'secrets' | 'channels'>> | undefined;
}

export function webhookSecrets(vault: Encryptor, channels: ReadonlyMap<string, Channel>): WebhookSecrets {
  const signingKeys = new SigningKeys(vault);
  const configs = new ConfigSecrets(vault, channels);
  return {
    areSealed: vault.hasKeys,
    signingKeys,
    configs,

    readable({ secrets, ...webhook }) {
      return {
        ...webhook,
        channels: webhook.channels.map((binding) => ({
          ...binding,
          configs: configs.mask(binding.channel, binding.configs),
        })),
      };
    },

    resealed(record) {
      let isChanged = false;
      const again = (text: string, place: EncryptionContext): string => {
        if (vault.isCurrent(text)) return text;
        isChanged = true;
        return vault.encrypt(vault.decrypt(text, place), place);
      };
      const change = {
        secrets: signingKeys.mapped(record, again),
        channels: configs.mapped(record, again),
      };
      return isChanged ? change : undefined;
    },
  };
}
