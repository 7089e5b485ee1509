import type { Channel } from '../channels/channel.js';
import { mask, type Secret } from '../channels/mask.js';
import {
  everything,
  isTooDeep,
  mapSecrets,
  maxConfigDepth,
  type SecretPath,
  secretNumbers,
  secretTexts,
} from '../channels/secret-paths.js';
import { type Issue, invalidWebhook, PosthornError } from '../errors.js';
import type { ChannelBinding, Webhook } from '../models/models.js';
import type { SigningSecret, WebhookChange, WebhookRecord } from '../storage/webhook-store.js';
import { deeplyFrozen } from './frozen.js';
import { SigningKeys } from './signing-keys.js';
import { looksSealed, type Place, type Vault } from './vault.js';

/*
 * What is secret about a webhook: its signing keys, and what its channels say is secret in their configs. At rest it is
 * sealed, in what is read it is masked, and it is opened for nothing but sending, `revealSecret` and a change.
 */

const maxOldSecrets = 10;

type Owner = Pick<Webhook, 'id' | 'tenantId'>;

/** A binding that has its id. */
export interface IdentifiedBinding extends ChannelBinding {
  /** Nobody can say that it is the one of this id: what is masked in it may be another's. */
  readonly isUnsure?: boolean;
}

export interface WebhookSecrets {
  /** Whether they are sealed at rest. */
  readonly areSealed: boolean;
  seal(owner: Owner, key: string): string;
  /** Throws `secret_unreadable`, as all that opens something here. */
  open(owner: Owner, key: string): string;
  /**
   * The signing keys when a new one takes the place of the present one, which signs beside it until `expiresAt`. Throws
   * `too_many_secrets` where ten old ones still sign at `now`, and `secret_unreadable` where the present one would have to
   * and cannot; an older one that cannot is dropped.
   */
  rotated(record: WebhookRecord, key: string, expiresAt: Date, now: number): readonly SigningSecret[];
  /** The signing keys that hold at that time, frozen; opened once for as long as the storage hands out the same ones. */
  holding(owner: Owner, secrets: readonly SigningSecret[], at: Date): readonly Secret[];
  /** A binding's configs as its channel is to have them, opened once for as long as the binding is the same, and frozen. */
  openConfigs(owner: Owner, binding: ChannelBinding): unknown;
  /** The secret texts in opened configs. */
  textsIn(channel: string, configs: unknown): readonly string[];
  /** Configs with nothing secret in them. */
  maskConfigs(channel: string, configs: unknown): unknown;
  /** Puts what is stored in the place of each mask. Throws `invalid_webhook` where nothing is, or who knows what. */
  unmask(
    owner: Owner,
    bindings: readonly IdentifiedBinding[],
    present: readonly ChannelBinding[],
  ): ChannelBinding[];
  /**
   * Seals the configs of bindings; what is stored with the same text stays as it is. Throws `invalid_webhook` where a
   * number is secret: only text can be.
   */
  sealConfigs(
    owner: Owner,
    bindings: readonly ChannelBinding[],
    present: readonly ChannelBinding[],
  ): ChannelBinding[];
  /** A webhook as its readers see it. */
  readable(record: WebhookRecord): Webhook;
  /** What has to be written so that all is sealed by the first key; undefined where it is. */
  resealed(record: WebhookRecord): Required<Pick<WebhookChange, 'secrets' | 'channels'>> | undefined;
}

export function webhookSecrets(vault: Vault, channels: ReadonlyMap<string, Channel>): WebhookSecrets {
  const signingKeys = new SigningKeys();
  const openedConfigs = new WeakMap<ChannelBinding, unknown>();

  const signing = ({ id, tenantId }: Owner): Place => ({ tenantId, webhookId: id, purpose: 'signing' });
  const config = ({ id, tenantId }: Owner, bindingId: string, at: readonly string[]): Place => ({
    tenantId,
    webhookId: id,
    purpose: JSON.stringify([bindingId, ...at]),
  });

  /** Of a channel that this process does not have, nobody knows what is secret. */
  const pathsOf = (channel: string): readonly SecretPath[] =>
    channels.has(channel) ? (channels.get(channel)!.secretPaths ?? []) : everything;

  const maskConfigs = (channel: string, configs: unknown): unknown =>
    mapSecrets(configs, pathsOf(channel), () => mask);

  /** The secret texts that are stored for this very binding, as they are stored, by where they stand. */
  function storedFor(
    { id, channel }: ChannelBinding,
    present: readonly ChannelBinding[],
  ): ReadonlyMap<string, string> {
    const stored = new Map<string, string>();
    const before = present.find((binding) => binding.id === id && binding.channel === channel);
    mapSecrets(before?.configs, pathsOf(channel), (text, at) => {
      stored.set(JSON.stringify(at), text);
      return text;
    });
    return stored;
  }

  /** Undefined for what cannot be opened any more: it is of no more use, and gives way. */
  function openedOrLost(kept: string, place: Place): string | undefined {
    try {
      return vault.open(kept, place);
    } catch {
      return undefined;
    }
  }

  return {
    areSealed: vault.hasKeys,
    seal: (owner, key) => vault.seal(key, signing(owner)),
    open: (owner, key) => vault.open(key, signing(owner)),

    rotated(record, key, expiresAt, now) {
      const place = signing(record);
      const old = record.secrets.flatMap(({ key: kept, expiresAt: end }) => {
        const until = end ?? expiresAt;
        if (until.getTime() <= now) return [];
        // The present one is to go on signing: that it cannot has to be known.
        const opened = end === null ? vault.open(kept, place) : openedOrLost(kept, place);
        return opened === undefined || opened === key ? [] : [{ key: kept, expiresAt: until }];
      });
      if (old.length > maxOldSecrets) {
        throw new PosthornError(
          'too_many_secrets',
          `${maxOldSecrets} old secrets still sign; wait until one expires`,
        );
      }
      return [{ key: vault.seal(key, place), expiresAt: null }, ...old];
    },

    holding: (owner, secrets, at) =>
      signingKeys.holding(secrets, at, (key) => vault.open(key, signing(owner))),

    openConfigs(owner, binding) {
      if (openedConfigs.has(binding)) return openedConfigs.get(binding);
      const configs = mapSecrets(binding.configs, pathsOf(binding.channel), (text, at) =>
        vault.open(text, config(owner, binding.id, at)),
      );
      // Shared by all deliveries to the binding: what a channel changed would be there for the next one.
      openedConfigs.set(binding, deeplyFrozen(structuredClone(configs)));
      return openedConfigs.get(binding);
    },

    textsIn: (channel, configs) => secretTexts(configs, pathsOf(channel)),

    maskConfigs,

    unmask(owner, bindings, present) {
      const issues: Issue[] = [];
      for (const [i, { configs }] of bindings.entries()) {
        if (!isTooDeep(configs)) continue;
        const message = `must not nest deeper than ${maxConfigDepth} levels`;
        throw invalidWebhook([{ path: ['channels', i, 'configs'], message }]);
      }
      const whole = bindings.map(({ isUnsure, ...binding }, i) => {
        const stored = isUnsure ? new Map<string, string>() : storedFor(binding, present);
        const configs = mapSecrets(binding.configs, pathsOf(binding.channel), (text, at) => {
          const path = ['channels', i, 'configs', ...at];
          if (looksSealed(text)) issues.push({ path, message: 'must not begin like an encrypted value' });
          if (text !== mask) return text;
          const kept = stored.get(JSON.stringify(at));
          if (kept === undefined) {
            issues.push({
              path,
              message: `must be the value itself: ${mask} stands for a stored one, and ${isUnsure ? 'which of several is not said' : 'there is none'}`,
            });
            return text;
          }
          return vault.open(kept, config(owner, binding.id, at));
        });
        return { ...binding, configs };
      });
      if (issues.length > 0) throw invalidWebhook(issues);
      return whole;
    },

    sealConfigs(owner, bindings, present) {
      const issues = bindings.flatMap(({ channel, configs }, i) =>
        secretNumbers(configs, pathsOf(channel)).map((at) => ({
          path: ['channels', i, 'configs', ...at],
          message: 'must be a string: it is secret',
        })),
      );
      if (issues.length > 0) throw invalidWebhook(issues);
      return bindings.map((binding) => {
        const stored = storedFor(binding, present);
        const configs = mapSecrets(binding.configs, pathsOf(binding.channel), (text, at) => {
          const place = config(owner, binding.id, at);
          const kept = stored.get(JSON.stringify(at));
          const isSame = kept !== undefined && vault.isCurrent(kept) && openedOrLost(kept, place) === text;
          return isSame ? kept : vault.seal(text, place);
        });
        return { ...binding, configs };
      });
    },

    readable({ secrets, ...webhook }) {
      return {
        ...webhook,
        channels: webhook.channels.map((binding) => ({
          ...binding,
          configs: maskConfigs(binding.channel, binding.configs),
        })),
      };
    },

    resealed(record) {
      let isChanged = false;
      const again = (text: string, place: Place): string => {
        if (vault.isCurrent(text)) return text;
        isChanged = true;
        return vault.seal(vault.open(text, place), place);
      };
      const change = {
        secrets: record.secrets.map((secret) => ({ ...secret, key: again(secret.key, signing(record)) })),
        channels: record.channels.map((binding) => ({
          ...binding,
          configs: mapSecrets(binding.configs, pathsOf(binding.channel), (text, at) =>
            channels.has(binding.channel) || looksSealed(text)
              ? again(text, config(record, binding.id, at))
              : text,
          ),
        })),
      };
      return isChanged ? change : undefined;
    },
  };
}
