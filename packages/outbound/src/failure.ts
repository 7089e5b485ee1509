import type { FailureKind } from '@posthorn/core';

/** Why there is no response: core's failure kinds, and `aborted` if the caller ended the request. */
export type OutboundFailureKind =
  | Exclude<FailureKind, 'http_status' | 'credentials' | 'channel_error' | 'worker_lost'>
  | 'aborted';

/** The result when no complete response headers arrived. */
export interface OutboundFailure {
  readonly ok: false;
  readonly kind: OutboundFailureKind;
  /** A message for people, with the error's code. Contains neither the URL nor anything that was sent. */
  readonly message: string;
}

export const failure = (kind: OutboundFailureKind, message: string): OutboundFailure => ({
  ok: false,
  kind,
  message,
});

const descriptions: Readonly<Record<OutboundFailureKind, string>> = {
  timeout: 'no answer in time',
  connect_timeout: 'no connection in time',
  dns: 'the host name could not be resolved',
  refused: 'the connection was refused',
  reset: 'the connection ended before an answer came',
  tls: 'no trusted TLS connection could be made',
  protocol: 'the answer is not HTTP/1.1',
  too_large: 'the headers of the answer are too large',
  address_forbidden: 'the address is not allowed',
  proxy: 'the proxy opened no connection',
  config: 'the request cannot be sent as it is',
  aborted: 'the request was aborted',
};

/** Error codes of Node and undici. TLS codes are matched by `tlsCode`. */
const kinds: Readonly<Record<string, OutboundFailureKind>> = {
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
  ECONNREFUSED: 'refused',
  EINVAL: 'refused',
  EHOSTUNREACH: 'refused',
  ENETUNREACH: 'refused',
  EHOSTDOWN: 'refused',
  EADDRNOTAVAIL: 'refused',
  EACCES: 'refused',
  EPERM: 'refused',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  EPROTO: 'tls',
  UND_ERR_HEADERS_OVERFLOW: 'too_large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  UND_ERR_INVALID_ARG: 'config',
  UND_ERR_NOT_SUPPORTED: 'config',
  UND_ERR_DESTROYED: 'aborted',
  UND_ERR_CLOSED: 'aborted',
  UND_ERR_ABORTED: 'aborted',
};

/** Codes that are no fault of the receiver: this process cannot open another connection. */
const exhausted: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS']);

/** OpenSSL's certificate error codes share no prefix, but contain these words. */
const tlsCode = /^(ERR_TLS_|ERR_SSL_)|CERT|_CA$|HOSTNAME_MISMATCH|LEAF_SIGNATURE|CRL/;

/** Maps an error of Node or undici to a failure. */
export function failureOf(error: unknown): OutboundFailure {
  const { name, code, message } = Object(error) as Record<string, unknown>;
  const text = String(message);
  // The guard's own error: its message is already for people.
  if (code === 'address_forbidden') return failure('address_forbidden', text);
  if (name === 'ProxyError') return failure('proxy', text);
  // undici's parser errors have no code; their message ends with the parser's reason.
  if (name === 'HTTPParserError') return describe('protocol', /\((.*)\)$/.exec(text)?.[1]);
  // `bad response` (unsolicited, or a 100) and `bad upgrade`; the other messages mean that the receiver closed.
  if (code === 'UND_ERR_SOCKET') return describe(text.startsWith('bad ') ? 'protocol' : 'reset');
  const isLookup = name === 'LookupError';
  if (typeof code !== 'string') return describe(isLookup ? 'dns' : 'reset');
  if (exhausted.has(code)) {
    return failure('config', `this process ran out of open files or network buffers (${code})`);
  }
  // A failed look-up does not always have a DNS code: a label of 64 letters may be EINVAL.
  return describe(isLookup ? 'dns' : kindOfCode(code), code);
}

const describe = (kind: OutboundFailureKind, detail?: string): OutboundFailure =>
  failure(kind, detail ? `${descriptions[kind]} (${detail})` : descriptions[kind]);

function kindOfCode(code: string): OutboundFailureKind {
  const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
  if (kind) return kind;
  return tlsCode.test(code) ? 'tls' : 'reset';
}
