export { publicIPv6, type Range, refusedIPv4, refusedIPv6 } from './addresses.js';
export { type GuardedDispatcherOptions, guardedDispatcher } from './dispatcher.js';
export type { OutboundAnswer, OutboundResult } from './exchange.js';
export type { OutboundFailure, OutboundFailureKind } from './failure.js';
export { checkHeaders } from './headers.js';
export {
  type JsonPost,
  type JsonService,
  type JsonServiceOptions,
  jsonService,
  type ReadAnswer,
} from './json-service.js';
export type { OutboundOptions } from './options.js';
export {
  type CheckUrlOptions,
  checkUrl,
  createOutbound,
  type Outbound,
  type OutboundRequest,
  outboundOf,
} from './outbound.js';
export type { OutboundPolicy } from './policy.js';
export { retryAfterMs } from './retry-after.js';
export type { OutboundTls } from './trust.js';
export { strangersVerdict, verdictOf } from './verdict.js';
