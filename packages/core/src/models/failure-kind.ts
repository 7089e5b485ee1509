import { z } from 'zod';

/** Who has to act on a failure: the receiver, who configured the webhook, or the application. */
export type Fault = 'receiver' | 'configuration' | 'ours';

/** Why an attempt failed, a closed list, and who has to act. */
const faults = {
  /** The receiver answered with another status than success. */
  http_status: 'receiver',
  /** No answer before the deadline. */
  timeout: 'receiver',
  /** No connection, TLS included, in time. */
  connect_timeout: 'receiver',
  /** The host name has no address. */
  dns: 'receiver',
  /** The connection was refused, or there is no route. */
  refused: 'receiver',
  /** The connection ended before an answer. Whether the request was processed is unknown. */
  reset: 'receiver',
  /** TLS failed, or the certificate is not trusted. */
  tls: 'receiver',
  /** The answer breaks HTTP/1.1. */
  protocol: 'receiver',
  /** The head of the answer exceeds the limit. */
  too_large: 'receiver',
  /** The URL leads to an address that is not allowed. */
  address_forbidden: 'configuration',
  /** The webhook cannot be sent as it is configured: a header, a template, a secret. */
  config: 'configuration',
  /** The credentials of the application were refused: a login, an API key of a provider, a sender address. */
  credentials: 'ours',
  /** The forward proxy of the application opened no connection. */
  proxy: 'ours',
  /** The channel threw. */
  channel_error: 'ours',
  /** The process that sent it was lost before it wrote the outcome. */
  worker_lost: 'ours',
} as const satisfies Record<string, Fault>;

/** Why an attempt failed. */
export type FailureKind = keyof typeof faults;
/** One of the kinds of failure. */
export const failureKindSchema = z.enum(Object.keys(faults) as [FailureKind, ...FailureKind[]]);

/** Returns who has to act on a failure of this kind. */
export const faultOf = (kind: FailureKind): Fault => faults[kind];
