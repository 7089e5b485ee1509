import { createHash, X509Certificate } from 'node:crypto';
import {
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';
import { PosthornError } from '@posthorn/core';
import { parseOptions } from '@posthorn/core/channel';

/** Client certificate and trusted authorities of a connection, all in PEM. */
export interface OutboundTls {
  /** The client certificate with its chain. Requires `key`. */
  readonly cert?: string;
  readonly key?: string;
  /** The passphrase of an encrypted `key`. */
  readonly passphrase?: string;
  /** Authorities to trust besides Node's own and those of the client's option `ca`. */
  readonly ca?: string | readonly string[];
}

/** Parsed TLS settings. Requests with different trust never share a connection. */
export interface Trust {
  /** Equal for settings with equal content. */
  readonly key: string;
  readonly context: SecureContext;
}

const names = ['cert', 'key', 'passphrase', 'ca'] as const;

/** Parses TLS settings. Throws `invalid_option`; the message never quotes a key. */
export function trustOf(tls: OutboundTls, authorities: readonly string[]): Trust {
  const { cert, key, passphrase, ca = [] } = parseOptions(tls, names, 'tls');
  if ((cert === undefined) !== (key === undefined)) throw invalid('must have both cert and key, or neither');
  const own = [...authorities, ...authoritiesOf(ca, 'tls.ca')];
  try {
    const context = createSecureContext({
      __proto__: null,
      ...(cert !== undefined && { cert, key, passphrase }),
      ...(own.length > 0 && { ca: [...rootCertificates, ...own] }),
    } as SecureContextOptions);
    const content = JSON.stringify([cert, key, passphrase, own]);
    return { key: createHash('sha256').update(content).digest('base64url'), context };
  } catch {
    throw invalid('must hold a certificate and the key that belongs to it, in PEM');
  }
}

const certificates = /-----BEGIN .+?-----END [^-]*-----/gs;

/**
 * Validates authorities, because Node accepts any text as one and silently trusts no additional authority. Throws
 * `invalid_option`.
 */
export function authoritiesOf(ca: string | readonly string[], name: string): readonly string[] {
  const list = typeof ca === 'string' ? [ca] : ca;
  if (!Array.isArray(list) || !list.every(holdsCertificates)) {
    throw new PosthornError(
      'invalid_option',
      `${name} must be a certificate in PEM, or an array of certificates`,
    );
  }
  return list;
}

function holdsCertificates(pem: unknown): boolean {
  if (typeof pem !== 'string') return false;
  try {
    for (const certificate of pem.match(certificates) ?? [pem]) new X509Certificate(certificate);
    return true;
  } catch {
    return false;
  }
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', `tls ${message}`);
