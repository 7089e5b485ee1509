import { createHmac, createPrivateKey, createSecretKey, sign as signEd25519 } from 'node:crypto';
import { parseSecret, type Secret } from '@posthorn/core/channel';

/** Computes one signature over the id, the timestamp and the body, in the format of the header. */
type Signer = (signedPrefix: string, body: Buffer) => string;

/** Parsed keys by secret. The oldest entry makes room for a new one. */
const signers = new Map<string, Signer>();
const maxSigners = 10_000;

/**
 * Returns the value of `webhook-signature` (Standard Webhooks 1.0.0): one signature per secret, in the given order,
 * over `id.timestamp.body`. `whsec_…` makes `v1` (HMAC-SHA256), `whsk_…` makes `v1a` (ed25519). `timestamp` is in
 * seconds. Throws `invalid_secret`.
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

/** Decodes an HMAC key of at least 128 bits. The exact length is validated when the secret is saved. */
function hmacKey(secret: string): Buffer | undefined {
  const [, base64] = /^whsec_([A-Za-z0-9+/]{22,}={0,2})$/.exec(secret) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64');
}
