import { z } from 'zod';

/** Whose fault a failure is: who has to do something about it. */
export type Fault = 'receiver' | 'configuration' | 'ours';

/** Why an attempt failed, a closed list, and whose fault that is. */
const faults = {
  /** It answered, and not with success. */
  http_status: 'receiver',
  /** No answer before the deadline. */
  timeout: 'receiver',
  /** No connection, TLS included, in time. */
  connect_timeout: 'receiver',
  /** Its name leads nowhere. */
  dns: 'receiver',
  /** The connection was refused, or there is no way there. */
  refused: 'receiver',
  /** The connection ended before an answer came; whether the request was heeded is unknown. */
  reset: 'receiver',
  /** No TLS, or no certificate to trust. */
  tls: 'receiver',
  /** The answer breaks HTTP/1.1. */
  protocol: 'receiver',
  /** The head of the answer is larger than is read. */
  too_large: 'receiver',
  /** The webhook's address leads where none may. */
  address_forbidden: 'configuration',
  /** The webhook as it is cannot be sent: a header, a template, a secret. */
  config: 'configuration',
  /** The application's own credentials were refused: a login, a key of a provider, a sender that is not ours to use. */
  credentials: 'ours',
  /** The application's own forward proxy opened no connection. */
  proxy: 'ours',
  /** The channel threw. */
  channel_error: 'ours',
  /** The process that sent it was lost before it wrote how it went. */
  worker_lost: 'ours',
} as const satisfies Record<string, Fault>;

export type FailureKind = keyof typeof faults;
export const failureKindSchema = z.enum(Object.keys(faults) as [FailureKind, ...FailureKind[]]);

/** Whose fault a failure of this kind is. */
export const faultOf = (kind: FailureKind): Fault => faults[kind];
