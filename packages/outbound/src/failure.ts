import type { FailureKind } from '@posthorn/core';

/** Why there is no answer: core's words, and `aborted` where the caller ended it. */
export type OutboundFailureKind =
  | Exclude<FailureKind, 'http_status' | 'credentials' | 'channel_error' | 'worker_lost'>
  | 'aborted';

/** No complete response headers came. */
export interface OutboundFailure {
  readonly ok: false;
  readonly kind: OutboundFailureKind;
  /** For people: what happened, with the error's code. Holds neither the address nor anything that was sent. */
  readonly message: string;
}

export const failure = (kind: OutboundFailureKind, message: string): OutboundFailure => ({
  ok: false,
  kind,
  message,
});

const sayings: Readonly<Record<OutboundFailureKind, string>> = {
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

/** Codes of Node and of undici. Those of TLS are known by their words, see below. */
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

/** Not the receiver's doing: it is this process that cannot open another connection. */
const exhausted: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS']);

/** OpenSSL's names for what is wrong with a certificate have no prefix in common, but these words. */
const tlsCode = /^(ERR_TLS_|ERR_SSL_)|CERT|_CA$|HOSTNAME_MISMATCH|LEAF_SIGNATURE|CRL/;

/** What an error of Node or undici means. */
export function failureOf(error: unknown): OutboundFailure {
  const { name, code, message } = Object(error) as Record<string, unknown>;
  const text = String(message);
  // The guard's, and already in words for people.
  if (code === 'address_forbidden') return failure('address_forbidden', text);
  if (name === 'ProxyError') return failure('proxy', text);
  // The parser's errors have no code in undici; their message ends with the parser's reason.
  if (name === 'HTTPParserError') return tell('protocol', /\((.*)\)$/.exec(text)?.[1]);
  // `bad response` (unasked, or a 100) and `bad upgrade`; its other messages say that the other side closed.
  if (code === 'UND_ERR_SOCKET') return tell(text.startsWith('bad ') ? 'protocol' : 'reset');
  const isLookup = name === 'LookupError';
  if (typeof code !== 'string') return tell(isLookup ? 'dns' : 'reset');
  if (exhausted.has(code)) {
    return failure('config', `this process ran out of open files or network buffers (${code})`);
  }
  // What a look-up fails with is not always a code of its own: a label of 64 letters may be EINVAL.
  return tell(isLookup ? 'dns' : kindOfCode(code), code);
}

const tell = (kind: OutboundFailureKind, detail?: string): OutboundFailure =>
  failure(kind, detail ? `${sayings[kind]} (${detail})` : sayings[kind]);

function kindOfCode(code: string): OutboundFailureKind {
  const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
  if (kind) return kind;
  return tlsCode.test(code) ? 'tls' : 'reset';
}
