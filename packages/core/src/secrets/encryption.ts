import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { describeType, PosthornError } from '../errors.js';
import type { Webhook } from '../models/webhook.js';
import { parseOptions } from '../validation.js';

/** A key that encrypts secrets at rest. */
export interface EncryptionKey {
  /** 1 to 64 letters, digits, `_` or `-`. Stored with each secret that the key encrypts. */
  readonly id: string;
  /** 32 bytes from a random source, or their base64, as from `openssl rand -base64 32`. */
  readonly key: Uint8Array | string;
}

/** Encrypts signing secrets and secret configs at rest. */
export interface EncryptionOptions {
  /**
   * The first key encrypts; all keys decrypt. To rotate, add the new key as a later one in every process, and only then
   * make it the first.
   */
  readonly keys: readonly EncryptionKey[];
}

/** Identifies the secret. A text that was encrypted for one place cannot be decrypted for another. */
export interface EncryptionContext {
  readonly tenantId: string;
  readonly webhookId: string;
  readonly purpose: string;
}

/** The webhook that the secret belongs to. */
export type Owner = Pick<Webhook, 'id' | 'tenantId'>;

/** Encrypts secrets for the storage with AES-256-GCM, and decrypts them. Without keys, texts stay as they are. */
export interface Encryptor {
  readonly hasKeys: boolean;
  encrypt(text: string, place: EncryptionContext): string;
  /** Decrypts `text`. Returns a text that is not encrypted as it is. Throws `secret_unreadable`. */
  decrypt(text: string, place: EncryptionContext): string;
  /** Whether `encrypt` would produce this form today: encrypted with the first key, or not at all without keys. */
  isCurrent(text: string): boolean;
}

/**
 * Decrypts a stored text; returns undefined where that is impossible. Such a text is useless and may be overwritten.
 */
export function decryptOrUndefined(
  encryptor: Encryptor,
  kept: string,
  place: EncryptionContext,
): string | undefined {
  try {
    return encryptor.decrypt(kept, place);
  } catch {
    return undefined;
  }
}

/** The prefix of encrypted text: `enc:v1:<key id>:<base64url of nonce, ciphertext and tag>`. */
const prefix = 'enc:v1:';
const sealed = /^enc:v1:([A-Za-z0-9_-]{1,64}):([A-Za-z0-9_-]+)$/;

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
/** 96 random bits suffice for 2^32 texts under one key (NIST SP 800-38D §5.2.1.1 and §8.3). */
const nonceBytes = 12;
const tagBytes = 16;

/** Whether a text has the prefix of encrypted text. Input must not have it. */
export const isEncrypted = (text: string): boolean => text.startsWith(prefix);

/** Creates an encryptor. Throws `invalid_option`, which never quotes a key. */
export function createEncryptor(options: EncryptionOptions | undefined): Encryptor {
  const keys = options === undefined ? new Map<string, KeyObject>() : keysOf(options);
  const [current] = keys.keys();

  return {
    hasKeys: current !== undefined,

    encrypt(text, place) {
      if (current === undefined) return text;
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, keys.get(current)!, nonce, { authTagLength: tagBytes });
      cipher.setAAD(associatedData(place));
      const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${prefix}${current}:${bytes.toString('base64url')}`;
    },

    decrypt(text, place) {
      if (!isEncrypted(text)) return text;
      const [, keyId = '', base64 = ''] = sealed.exec(text) ?? [];
      const key = keys.get(keyId);
      if (!key)
        throw unreadable(keyId ? `encryption.keys has no key with the id ${keyId}` : 'it is malformed');
      const bytes = Buffer.from(base64, 'base64url');
      if (bytes.length < nonceBytes + tagBytes) throw unreadable('it is malformed');
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(associatedData(place));
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      try {
        const opened = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
        return Buffer.concat([opened, decipher.final()]).toString();
      } catch {
        throw unreadable(
          `the key ${keyId} is a different one than it was encrypted with, or it belongs to another webhook or field`,
        );
      }
    },

    isCurrent: (text) =>
      current === undefined ? !isEncrypted(text) : text.startsWith(`${prefix}${current}:`),
  };
}

/** JSON, so that two places never have the same bytes. */
const associatedData = ({ tenantId, webhookId, purpose }: EncryptionContext): Buffer =>
  Buffer.from(JSON.stringify([tenantId, webhookId, purpose]));

function keysOf(options: EncryptionOptions): Map<string, KeyObject> {
  const { keys } = parseOptions(options, ['keys'], 'encryption');
  if (!Array.isArray(keys) || keys.length === 0) throw invalid('keys must be a non-empty array');
  const byId = new Map<string, KeyObject>();
  for (const [i, given] of keys.entries()) {
    const { id, key } = parseOptions(given as EncryptionKey, ['id', 'key'], `encryption.keys[${i}]`);
    if (typeof id !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) {
      throw invalid(`keys[${i}].id must be 1 to 64 letters, digits, _ or -`);
    }
    if (byId.has(id)) throw invalid(`keys[${i}].id must be unique: an earlier key has it`);
    byId.set(id, createSecretKey(bytesOf(key, i)));
  }
  return byId;
}

function bytesOf(key: Uint8Array | string, i: number): Uint8Array {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : key;
  if (!(bytes instanceof Uint8Array))
    throw invalid(`keys[${i}].key must be bytes or base64, not ${describeType(key)}`);
  const isStrict = typeof key !== 'string' || Buffer.from(bytes).toString('base64') === key;
  if (!isStrict || bytes.length !== keyBytes)
    throw invalid(`keys[${i}].key must be ${keyBytes} bytes, or their base64`);
  return bytes;
}

const invalid = (message: string): PosthornError =>
  new PosthornError('invalid_option', `encryption.${message}`);

const unreadable = (why: string): PosthornError =>
  new PosthornError('secret_unreadable', `a stored secret cannot be decrypted: ${why}`);
