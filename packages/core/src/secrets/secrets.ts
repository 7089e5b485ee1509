import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describeType, PosthornError } from '../errors.js';

/*
 * Signing secrets in the forms of Standard Webhooks 1.0.0:
 *
 * - `whsec_` and 24 to 64 random bytes in base64, for HMAC (`v1`);
 * - `whsk_` and 64 bytes in base64, an ed25519 seed and its public key, for `v1a`.
 */

/** The signature that a secret makes: `v1` with HMAC-SHA256, `v1a` with ed25519. */
export type SecretKind = 'v1' | 'v1a';

/** Creates a secret from the system's random source. */
export function createSecret(kind: SecretKind = 'v1'): string {
  if (kind === 'v1') return `whsec_${randomBytes(32).toString('base64')}`;
  if (kind !== 'v1a') throw new PosthornError('invalid_option', "kind of a secret must be 'v1' or 'v1a'");
  const { d, x } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return `whsk_${Buffer.concat([Buffer.from(d!, 'base64url'), Buffer.from(x!, 'base64url')]).toString('base64')}`;
}

/** A signing secret, parsed and checked. */
export interface ParsedSecret {
  readonly kind: SecretKind;
  /** The HMAC key; for `v1a`, 32 bytes of seed and 32 bytes of public key. */
  readonly bytes: Buffer;
  /** The secret as Standard Webhooks writes it: in the standard alphabet, with padding. */
  readonly text: string;
}

/**
 * Parses a secret. Accepts base64 of the standard and of the URL alphabet (RFC 4648 §4, §5), with or without padding,
 * because other systems issue both. Throws `invalid_secret`, which does not quote the secret.
 */
export function parseSecret(secret: unknown): ParsedSecret {
  if (typeof secret !== 'string') throw invalid(`must be a string, not ${describeType(secret)}`);
  const [, prefix, given, padding] = /^(whsec|whsk)_([A-Za-z0-9+/_-]+)(={0,2})$/.exec(secret) ?? [];
  if (!prefix) throw invalid('must be whsec_ or whsk_, followed by base64');
  if (/[+/]/.test(given!) && /[_-]/.test(given!)) {
    throw invalid('must use one base64 alphabet: either + and /, or - and _');
  }
  // Node decodes both alphabets.
  const bytes = Buffer.from(given!, 'base64');
  const base64 = bytes.toString('base64');
  const [, digits, pad] = /^([^=]*)(=*)$/.exec(base64)!;
  if (digits !== given!.replaceAll('-', '+').replaceAll('_', '/') || (padding !== '' && padding !== pad)) {
    throw invalid('must be complete base64: characters or padding are missing or left over');
  }
  if (prefix === 'whsec' && (bytes.length < 24 || bytes.length > 64)) {
    throw invalid(`must decode to 24 to 64 bytes, not ${bytes.length}`);
  }
  if (prefix === 'whsk' && bytes.length !== 64) throw invalid(`must decode to 64 bytes, not ${bytes.length}`);
  if (prefix === 'whsk' && !publicKey(bytes).equals(bytes.subarray(32))) {
    throw invalid('must consist of a seed and its public key');
  }
  return { kind: prefix === 'whsec' ? 'v1' : 'v1a', bytes, text: `${prefix}_${base64}` };
}

/** The bytes before the seed in a PKCS #8 private key (RFC 8410 §7). */
const beforeSeed = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Derives the public key from the seed in the first 32 bytes. Does not read the other 32 bytes. */
function publicKey(bytes: Buffer): Buffer {
  const key = Buffer.concat([beforeSeed, bytes.subarray(0, 32)]);
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x!, 'base64url');
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_secret', `secret ${message}`);
