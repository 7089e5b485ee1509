import { Secret } from '../channels/mask.js';
import { PosthornError } from '../errors.js';
import type { SigningSecret, WebhookRecord } from '../storage/webhook-store.js';
import { decryptOrUndefined, type EncryptionContext, type Encryptor, type Owner } from './encryption.js';

const maxOldSecrets = 10;

interface Opened {
  readonly all: readonly Secret[];
  /** Until when all of them are valid. */
  readonly allHoldUntil: number;
}

const placeOf = ({ id, tenantId }: Owner): EncryptionContext => ({
  tenantId,
  webhookId: id,
  purpose: 'signing',
});

/** The signing keys of webhooks. Methods that decrypt throw `secret_unreadable`. */
export class SigningKeys {
  readonly #encryptor: Encryptor;
  readonly #opened = new WeakMap<readonly SigningSecret[], Opened>();

  constructor(encryptor: Encryptor) {
    this.#encryptor = encryptor;
  }

  /** Returns a signing key as it is stored. */
  encrypt(owner: Owner, key: string): string {
    return this.#encryptor.encrypt(key, placeOf(owner));
  }

  /** Returns a stored signing key in the clear. */
  decrypt(owner: Owner, key: string): string {
    return this.#encryptor.decrypt(key, placeOf(owner));
  }

  /**
   * Returns the signing keys after a rotation. The present key goes on signing beside the new one until `expiresAt`. Old
   * keys that cannot be decrypted are dropped. Throws `too_many_secrets` if ten old keys still sign at `now`, and
   * `secret_unreadable` if the present key must go on signing but cannot be decrypted.
   */
  rotated(record: WebhookRecord, key: string, expiresAt: Date, now: number): readonly SigningSecret[] {
    const place = placeOf(record);
    const old = record.secrets.flatMap(({ key: kept, expiresAt: end }) => {
      const until = end ?? expiresAt;
      if (until.getTime() <= now) return [];
      // The present one is to go on signing: that it cannot has to be known.
      const opened =
        end === null
          ? this.#encryptor.decrypt(kept, place)
          : decryptOrUndefined(this.#encryptor, kept, place);
      return opened === undefined || opened === key ? [] : [{ key: kept, expiresAt: until }];
    });
    if (old.length > maxOldSecrets) {
      throw new PosthornError(
        'too_many_secrets',
        `${maxOldSecrets} old secrets still sign; wait until one expires`,
      );
    }
    return [{ key: this.#encryptor.encrypt(key, place), expiresAt: null }, ...old];
  }

  /** Those that hold at that time, frozen; opened once for as long as the storage hands out the same ones. */
  holding(owner: Owner, secrets: readonly SigningSecret[], at: Date): readonly Secret[] {
    const { all, allHoldUntil } = this.#opened.get(secrets) ?? this.#openAll(owner, secrets);
    if (at.getTime() < allHoldUntil) return all;
    return Object.freeze(
      all.filter((_, i) => {
        const { expiresAt } = secrets[i]!;
        return expiresAt === null || expiresAt > at;
      }),
    );
  }

  /** The signing keys with each sealed text replaced. */
  mapped(
    record: WebhookRecord,
    replace: (text: string, place: EncryptionContext) => string,
  ): readonly SigningSecret[] {
    const place = placeOf(record);
    return record.secrets.map((secret) => ({ ...secret, key: replace(secret.key, place) }));
  }

  #openAll(owner: Owner, secrets: readonly SigningSecret[]): Opened {
    const ends = secrets.map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
    const all = Object.freeze(secrets.map(({ key }) => new Secret(this.decrypt(owner, key))));
    const opened = { all, allHoldUntil: Math.min(...ends) };
    this.#opened.set(secrets, opened);
    return opened;
  }
}
