export { createApi } from './api.js';
export type { Authenticate, Caller } from './authenticate.js';
export type { CorsOptions } from './cors.js';
export type { Handler } from './exchange.js';
export type { Answered, ApiOptions } from './options.js';
export type { RateLimitOptions } from './rate-limit.js';
export { type NodeHandler, toNode } from './to-node.js';
