export type { OutboundAnswer, OutboundResult } from './exchange.js';
export type { OutboundFailure, OutboundFailureKind } from './failure.js';
export type { OutboundPolicy } from './guard.js';
export { checkHeaders } from './headers.js';
export { createOutbound, type Outbound, type OutboundOptions, type OutboundRequest } from './outbound.js';
