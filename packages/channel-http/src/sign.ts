import { createHmac, createPrivateKey, createSecretKey, sign as signEd25519 } from 'node:crypto';
import { parseSecret, type Secret } from '@posthorn/core';

/** One signature over the id, the timestamp and the body, as it stands in the header. */
type Signer = (signedPrefix: string, body: Buffer) => string;

/** Keys are parsed when they are first seen; the oldest is forgotten for a new one. */
const signers = new Map<string, Signer>();
const maxSigners = 10_000;

/**
 * The value of `webhook-signature` (Standard Webhooks 1.0.0): a signature by each secret, in their order, over
 * `id.timestamp.body`: `v1,` HMAC-SHA256 by `whsec_…`, `v1a,` ed25519 by `whsk_…`. `timestamp` counts seconds.
 * Throws `invalid_secret`.
 */
export function signatureOf(secrets: readonly Secret[], id: string, timestamp: number, body: Buffer): string {
  const signedPrefix = `${id}.${timestamp}.`;
  return secrets.map((secret) => signerOf(secret.reveal())(signedPrefix, body)).join(' ');
}

function signerOf(secret: string): Signer {
  const known = signers.get(secret);
  if (known) return known;
  const signer = createSigner(secret);
  if (signers.size === maxSigners) signers.delete(signers.keys().next().value!);
  signers.set(secret, signer);
  return signer;
}

function createSigner(secret: string): Signer {
  const known = hmacKey(secret);
  const { kind, bytes } = known ? { kind: 'v1', bytes: known } : parseSecret(secret);
  if (kind === 'v1') {
    const key = createSecretKey(bytes);
    return (signedPrefix, body) =>
      `v1,${createHmac('sha256', key).update(signedPrefix).update(body).digest('base64')}`;
  }
  const jwk = {
    kty: 'OKP',
    crv: 'Ed25519',
    d: bytes.toString('base64url', 0, 32),
    x: bytes.toString('base64url', 32),
  };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  return (signedPrefix, body) =>
    `v1a,${signEd25519(null, Buffer.concat([Buffer.from(signedPrefix), body]), privateKey).toString('base64')}`;
}

/** The exact length of a key is judged where it comes in; one of 128 bits or more that is here, signs. */
function hmacKey(secret: string): Buffer | undefined {
  const [, base64] = /^whsec_([A-Za-z0-9+/]{22,}={0,2})$/.exec(secret) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64');
}
