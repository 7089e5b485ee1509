export { type ApiKey, type Scope, scopes } from './api-keys/api-key.js';
export type { ApiKeyInput, ApiKeyListOptions, ApiKeys, CreatedApiKey } from './api-keys/api-keys.js';
export type { Cancellation } from './channels/cancellation.js';
export type * from './channels/channel.js';
export { checkedText, configsSchema } from './channels/configs.js';
export { domainInAscii } from './channels/domain.js';
export {
  type FunctionChannelOptions,
  type FunctionHandler,
  functionChannel,
  type NoConfigs,
} from './channels/function-channel.js';
export { mask, Secret } from './channels/mask.js';
export {
  recipientsCheckpoint,
  type SettledRecipients,
  settledRecipients,
} from './channels/recipient-checkpoint.js';
export { type SecretPath, secretTexts } from './channels/secret-paths.js';
export {
  delivered,
  failed,
  gone,
  type RateLimited,
  type ReceiverResponse,
  rateLimited,
  rejected,
  type Verdict,
} from './channels/verdict.js';
export {
  defaultSchedule,
  nextState,
  type OrderingOptions,
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
} from './delivery/retry-policy.js';
export {
  createDispatcher,
  type Dispatched,
  type Dispatcher,
  type DispatchItem,
  type DispatchOptions,
  type StopOptions,
  type TxOption,
} from './dispatcher.js';
export { type Duration, maxTimerMs, toMs } from './duration.js';
export {
  describeIssues,
  describeType,
  type ErrorCode,
  errorCodes,
  type Issue,
  isPosthornError,
  PosthornError,
  type PosthornErrorOptions,
} from './errors.js';
export {
  defineEvents,
  type EventCatalog,
  type EventTypeOf,
  type PayloadOf,
} from './events/catalog.js';
export { isDeeperThan } from './events/json-depth.js';
export { type RawJson, rawJson } from './events/raw-json.js';
export type { ExplainedDelivery, Explanation, MatchedWebhook } from './history/explain.js';
export type {
  Deliveries,
  DeliveryListOptions,
  EventListOptions,
  Events,
  UndeliveredOptions,
} from './history/log.js';
export type { MissedWebhook, MissReason, NamedWebhook } from './history/missed.js';
export type { NextStep } from './history/next-step.js';
export type { SelectionOptions } from './history/selection.js';
export type { Stats, StatsBucket, StatsOptions } from './history/stats.js';
export type { TimeRange } from './history/time-range.js';
export type { DeliveryInfo, Lifecycle } from './lifecycle.js';
export { matches, matchKeys, parseEventType, parsePattern } from './matching.js';
export * from './models/delivery.js';
export * from './models/event.js';
export { type FailureKind, type Fault, failureKindSchema, faultOf } from './models/failure-kind.js';
export {
  apiKeyIdSchema,
  attemptIdSchema,
  bindingIdSchema,
  defaultTenant,
  deliveryIdSchema,
  eventIdSchema,
  nameSchema,
  oneOf,
  type TenantOption,
  tenantIdSchema,
  webhookIdSchema,
} from './models/fields.js';
export {
  createIds,
  deliveryId,
  digestId,
  firstEventId,
  type Ids,
  type IdsOptions,
  madeAt,
  parseDeliveryId,
} from './models/ids.js';
export type * from './models/replay.js';
export * from './models/webhook.js';
export type { DispatcherOptions } from './options.js';
export type { ReplayFilter, ReplayOptions, Replays } from './replays/replays.js';
export type { EncryptionKey, EncryptionOptions } from './secrets/encryption.js';
export { redact } from './secrets/redact.js';
export { createSecret, type ParsedSecret, parseSecret, type SecretKind } from './secrets/secrets.js';
export type * from './storage/backfill.js';
export type * from './storage/document-store.js';
export type * from './storage/log-port.js';
export type { NextState } from './storage/next-state.js';
export type { Page, PageQuery } from './storage/page.js';
export type * from './storage/ports.js';
export type * from './storage/webhook-store.js';
export { parseOptions, zodErrorMap } from './validation.js';
export type { WebhookListOptions } from './webhooks/list-filter.js';
export type { Preview, Sample, Samples, TestResult } from './webhooks/test-event.js';
export type { RotateOptions, Webhooks } from './webhooks/webhooks.js';
