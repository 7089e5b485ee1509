/*
 * For applications. Authors of storages, channels and APIs find more in `@posthorn/core/storage`, `/channel` and `/schemas`.
 */
export { type ApiKey, type ApiKeyInput, type Scope, scopes } from './api-keys/api-key.js';
export type { ApiKeyListOptions, ApiKeys, CreatedApiKey } from './api-keys/api-keys.js';
export type { Channel } from './channels/channel.js';
export { type FunctionChannelOptions, functionChannel } from './channels/function-channel.js';
export { defaultSchedule, type OrderingOptions, type RetryOptions } from './delivery/retry-policy.js';
export {
  createDispatcher,
  type Dispatched,
  type Dispatcher,
  type DispatchItem,
  type DispatchOptions,
  type StopOptions,
} from './dispatcher.js';
export type { Duration } from './duration.js';
export { type ErrorCode, errorCodes, type Issue, isPosthornError, PosthornError } from './errors.js';
export { defineEvents, type EventCatalog, type EventTypeOf, type PayloadOf } from './events/catalog.js';
export { type RawJson, rawJson } from './events/raw-json.js';
export type { ExplainedDelivery, Explanation, MatchedWebhook } from './history/explain.js';
export type {
  Deliveries,
  DeliveryListOptions,
  EventListOptions,
  Events,
  UndeliveredOptions,
} from './history/log.js';
export type { MissedWebhook } from './history/missed.js';
export type { NextStep } from './history/next-step.js';
export type { Stats, StatsOptions } from './history/stats.js';
export type { DeliveryInfo, Lifecycle } from './lifecycle.js';
export { matches, type PatternOf } from './matching.js';
export type { Attempt, Delivery, DeliveryStatus, Outcome } from './models/delivery.js';
export type { EventDetails, WebhookEvent } from './models/event.js';
export { type FailureKind, faultOf } from './models/failure-kind.js';
export { defaultTenant, type TenantOption } from './models/fields.js';
export type { Replay } from './models/replay.js';
export type {
  ChannelBinding,
  ChannelBindingInput,
  Webhook,
  WebhookInput,
  WebhookPatch,
} from './models/webhook.js';
export type { DispatcherOptions } from './options.js';
export type { ReplayFilter, ReplayOptions, Replays } from './replays/replays.js';
export type { EncryptionKey, EncryptionOptions } from './secrets/encryption.js';
export { createSecret, type SecretKind } from './secrets/secrets.js';
export type { Page } from './storage/page.js';
export type { Notifier, StorageAdapter } from './storage/ports.js';
export type { WebhookListOptions } from './webhooks/list-filter.js';
export type { Preview, Sample, TestResult } from './webhooks/test-event.js';
export type { Webhooks } from './webhooks/webhooks.js';
export type { RotateOptions } from './webhooks/write-options.js';
