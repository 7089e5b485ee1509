import type { Channel } from '../channels/channel.js';
import { mask } from '../channels/mask.js';
import {
  everything,
  isTooDeep,
  mapSecrets,
  maxConfigDepth,
  type SecretPath,
  secretNumbers,
  secretTexts,
} from '../channels/secret-paths.js';
import { type Issue, invalidWebhook } from '../errors.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { WebhookRecord } from '../storage/webhook-store.js';
import {
  decryptOrUndefined,
  type EncryptionContext,
  type Encryptor,
  isEncrypted,
  type Owner,
} from './encryption.js';
import { deeplyFrozen } from './frozen.js';

/** A binding that has an id. */
export interface IdentifiedBinding extends ChannelBinding {
  /** Whether several stored bindings may be the one meant, so that a mask in the configs cannot be resolved. */
  readonly isUnsure?: boolean;
}

const placeOf = ({ id, tenantId }: Owner, bindingId: string, at: readonly string[]): EncryptionContext => ({
  tenantId,
  webhookId: id,
  purpose: JSON.stringify([bindingId, ...at]),
});

/** Encrypts, decrypts and masks the secrets in the configs of bindings, which each channel declares. */
export class ConfigSecrets {
  readonly #encryptor: Encryptor;
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #opened = new WeakMap<ChannelBinding, unknown>();

  constructor(encryptor: Encryptor, channels: ReadonlyMap<string, Channel>) {
    this.#encryptor = encryptor;
    this.#channels = channels;
  }

  /** Returns the configs of a binding with its secrets decrypted, frozen. Decrypts them once per binding object. */
  decrypt(owner: Owner, binding: ChannelBinding): unknown {
    if (this.#opened.has(binding)) return this.#opened.get(binding);
    const configs = mapSecrets(binding.configs, this.#pathsOf(binding.channel), (text, at) =>
      this.#encryptor.decrypt(text, placeOf(owner, binding.id, at)),
    );
    // All deliveries to the binding share the configs: a change made by the channel would reach the next delivery.
    this.#opened.set(binding, deeplyFrozen(structuredClone(configs)));
    return this.#opened.get(binding);
  }

  /** Returns the secret texts in decrypted configs. */
  textsIn(channel: string, configs: unknown): readonly string[] {
    return secretTexts(configs, this.#pathsOf(channel));
  }

  /** Returns the configs with every secret replaced by the mask. */
  mask(channel: string, configs: unknown): unknown {
    return mapSecrets(configs, this.#pathsOf(channel), () => mask);
  }

  /**
   * Replaces each mask by the stored secret. Throws `invalid_webhook` where there is none, or where it is unknown which
   * one is meant.
   */
  unmask(
    owner: Owner,
    bindings: readonly IdentifiedBinding[],
    present: readonly ChannelBinding[],
  ): ChannelBinding[] {
    const issues: Issue[] = [];
    for (const [i, { configs }] of bindings.entries()) {
      if (!isTooDeep(configs)) continue;
      const message = `must not nest deeper than ${maxConfigDepth} levels`;
      throw invalidWebhook([{ path: ['channels', i, 'configs'], message }]);
    }
    const whole = bindings.map(({ isUnsure, ...binding }, i) => {
      const stored = isUnsure ? new Map<string, string>() : this.#storedFor(binding, present);
      const configs = mapSecrets(binding.configs, this.#pathsOf(binding.channel), (text, at) => {
        const path = ['channels', i, 'configs', ...at];
        if (isEncrypted(text)) issues.push({ path, message: 'must not begin like an encrypted value' });
        if (text !== mask) return text;
        const kept = stored.get(JSON.stringify(at));
        if (kept === undefined) {
          issues.push({
            path,
            message: `must be the secret itself: ${mask} stands for a stored one, and ${isUnsure ? 'it is unknown which of several is meant' : 'none is stored'}`,
          });
          return text;
        }
        return this.#encryptor.decrypt(kept, placeOf(owner, binding.id, at));
      });
      return { ...binding, configs };
    });
    if (issues.length > 0) throw invalidWebhook(issues);
    return whole;
  }

  /**
   * Encrypts the secrets in the configs of bindings. A stored secret with the same text is kept as it is. Throws
   * `invalid_webhook` for a secret that is a number: only strings can be encrypted.
   */
  encrypt(
    owner: Owner,
    bindings: readonly ChannelBinding[],
    present: readonly ChannelBinding[],
  ): ChannelBinding[] {
    const issues = bindings.flatMap(({ channel, configs }, i) =>
      secretNumbers(configs, this.#pathsOf(channel)).map((at) => ({
        path: ['channels', i, 'configs', ...at],
        message: 'must be a string: it is secret',
      })),
    );
    if (issues.length > 0) throw invalidWebhook(issues);
    return bindings.map((binding) => {
      const stored = this.#storedFor(binding, present);
      const configs = mapSecrets(binding.configs, this.#pathsOf(binding.channel), (text, at) => {
        const place = placeOf(owner, binding.id, at);
        const kept = stored.get(JSON.stringify(at));
        const isSame =
          kept !== undefined &&
          this.#encryptor.isCurrent(kept) &&
          decryptOrUndefined(this.#encryptor, kept, place) === text;
        return isSame ? kept : this.#encryptor.encrypt(text, place);
      });
      return { ...binding, configs };
    });
  }

  /**
   * Returns the stored bindings with each secret text replaced. Of a channel that this process does not have, only
   * encrypted texts are replaced.
   */
  mapped(
    record: WebhookRecord,
    replace: (text: string, place: EncryptionContext) => string,
  ): ChannelBinding[] {
    return record.channels.map((binding) => ({
      ...binding,
      configs: mapSecrets(binding.configs, this.#pathsOf(binding.channel), (text, at) =>
        this.#channels.has(binding.channel) || isEncrypted(text)
          ? replace(text, placeOf(record, binding.id, at))
          : text,
      ),
    }));
  }

  /** A channel that this process does not have may have declared any path as secret. */
  #pathsOf(channel: string): readonly SecretPath[] {
    return this.#channels.has(channel) ? (this.#channels.get(channel)!.secretPaths ?? []) : everything;
  }

  /** Returns the secret texts that are stored for this binding, as stored, by their path in the configs. */
  #storedFor(
    { id, channel }: ChannelBinding,
    present: readonly ChannelBinding[],
  ): ReadonlyMap<string, string> {
    const stored = new Map<string, string>();
    const before = present.find((binding) => binding.id === id && binding.channel === channel);
    mapSecrets(before?.configs, this.#pathsOf(channel), (text, at) => {
      stored.set(JSON.stringify(at), text);
      return text;
    });
    return stored;
  }
}
