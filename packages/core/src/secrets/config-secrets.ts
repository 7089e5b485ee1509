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
import { deeplyFrozen } from './frozen.js';
import { looksSealed, type Owner, openedOrLost, type Place, type Vault } from './vault.js';

/** A binding that has its id. */
export interface IdentifiedBinding extends ChannelBinding {
  /** Nobody can say that it is the one of this id: what is masked in it may be another's. */
  readonly isUnsure?: boolean;
}

const placeOf = ({ id, tenantId }: Owner, bindingId: string, at: readonly string[]): Place => ({
  tenantId,
  webhookId: id,
  purpose: JSON.stringify([bindingId, ...at]),
});

/** What channels say is secret in the configs of their bindings. */
export class ConfigSecrets {
  readonly #vault: Vault;
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #opened = new WeakMap<ChannelBinding, unknown>();

  constructor(vault: Vault, channels: ReadonlyMap<string, Channel>) {
    this.#vault = vault;
    this.#channels = channels;
  }

  /** A binding's configs as its channel is to have them, opened once for as long as the binding is the same, and frozen. */
  open(owner: Owner, binding: ChannelBinding): unknown {
    if (this.#opened.has(binding)) return this.#opened.get(binding);
    const configs = mapSecrets(binding.configs, this.#pathsOf(binding.channel), (text, at) =>
      this.#vault.open(text, placeOf(owner, binding.id, at)),
    );
    // Shared by all deliveries to the binding: what a channel changed would be there for the next one.
    this.#opened.set(binding, deeplyFrozen(structuredClone(configs)));
    return this.#opened.get(binding);
  }

  /** The secret texts in opened configs. */
  textsIn(channel: string, configs: unknown): readonly string[] {
    return secretTexts(configs, this.#pathsOf(channel));
  }

  /** Configs with nothing secret in them. */
  mask(channel: string, configs: unknown): unknown {
    return mapSecrets(configs, this.#pathsOf(channel), () => mask);
  }

  /** Puts what is stored in the place of each mask. Throws `invalid_webhook` where nothing is, or who knows what. */
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
        return this.#vault.open(kept, placeOf(owner, binding.id, at));
      });
      return { ...binding, configs };
    });
    if (issues.length > 0) throw invalidWebhook(issues);
    return whole;
  }

  /**
   * Seals the configs of bindings; what is stored with the same text stays as it is. Throws `invalid_webhook` where a
   * number is secret: only text can be.
   */
  seal(
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
          this.#vault.isCurrent(kept) &&
          openedOrLost(this.#vault, kept, place) === text;
        return isSame ? kept : this.#vault.seal(text, place);
      });
      return { ...binding, configs };
    });
  }

  /** The stored bindings with each secret text replaced; of a channel that this process does not have, each sealed one. */
  mapped(record: WebhookRecord, replace: (text: string, place: Place) => string): ChannelBinding[] {
    return record.channels.map((binding) => ({
      ...binding,
      configs: mapSecrets(binding.configs, this.#pathsOf(binding.channel), (text, at) =>
        this.#channels.has(binding.channel) || looksSealed(text)
          ? replace(text, placeOf(record, binding.id, at))
          : text,
      ),
    }));
  }

  /** Of a channel that this process does not have, nobody knows what is secret. */
  #pathsOf(channel: string): readonly SecretPath[] {
    return this.#channels.has(channel) ? (this.#channels.get(channel)!.secretPaths ?? []) : everything;
  }

  /** The secret texts that are stored for this very binding, as they are stored, by where they stand. */
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
