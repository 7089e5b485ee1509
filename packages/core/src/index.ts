export {
  type ApiKey,
  type ApiKeyRecord,
  type ApiKeyStore,
  type NewApiKey,
  type Scope,
  scopes,
} from './api-key-port.js';
export type { ApiKeyInput, ApiKeyListOptions, ApiKeys, CreatedApiKey } from './api-keys.js';
export type { Cancellation } from './cancellation.js';
export {
  defineEvents,
  type EventCatalog,
  type EventTypeOf,
  type PayloadOf,
} from './catalog.js';
export type * from './channel.js';
export { checkedText, configsSchema } from './configs.js';
export {
  decide,
  defaultSchedule,
  type Next,
  type OrderingOptions,
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
} from './decide.js';
export {
  createDispatcher,
  type Dispatched,
  type Dispatcher,
  type DispatchItem,
  type DispatchOptions,
  type StopOptions,
  type TxOption,
} from './dispatcher.js';
export { domainInAscii } from './domain.js';
export { inWords, optionsOf } from './door.js';
export { type Duration, maxTimerMs, toMs } from './duration.js';
export {
  describeIssues,
  type ErrorCode,
  errorCodes,
  type Issue,
  isPosthornError,
  kindOf,
  PosthornError,
  type PosthornErrorOptions,
} from './errors.js';
export type { ExplainedDelivery, Explanation, MatchedWebhook } from './explain.js';
export { type FailureKind, type Fault, failureKindSchema, faultOf } from './failures.js';
export {
  type FunctionChannelOptions,
  type FunctionHandler,
  functionChannel,
  type NoConfigs,
} from './function-channel.js';
export {
  createIds,
  deliveryId,
  digestId,
  firstEventId,
  type Ids,
  type IdsOptions,
  madeAt,
  parseDeliveryId,
} from './ids.js';
export { isDeeperThan } from './json-depth.js';
export type { DeliveryFacts, Lifecycle } from './lifecycle.js';
export type {
  Deliveries,
  DeliveryListOptions,
  EventListOptions,
  Events,
  UndeliveredOptions,
} from './log.js';
export type * from './log-port.js';
export { mask, Secret } from './mask.js';
export { matches, matchKeys, parseEventType, parsePattern } from './match.js';
export type { MissedWebhook, MissReason, NamedWebhook } from './missed.js';
export * from './models.js';
export type { NextStep } from './next-step.js';
export type { DispatcherOptions } from './options.js';
export type { Page, PageQuery } from './page.js';
export type * from './ports.js';
export { type RawJson, rawJson } from './raw-json.js';
export { recipientsMemo, type SettledRecipients, settledRecipients } from './recipients-memo.js';
export { redact } from './redact.js';
export type * from './replay-port.js';
export type { ReplayFilter, ReplayOptions, Replays } from './replays.js';
export type { Preview, Sample, Samples, TestResult } from './sample.js';
export { type SecretPath, secretTexts } from './secret-paths.js';
export { createSecret, type ParsedSecret, parseSecret, type SecretKind } from './secrets.js';
export type { SelectionOptions } from './selection.js';
export type { Stats, StatsBucket, StatsOptions } from './stats.js';
export type { TimeRange } from './time-range.js';
export type { EncryptionKey, EncryptionOptions } from './vault.js';
export { type Busy, busy, delivered, failed, gone, type Report, rejected, type Verdict } from './verdict.js';
export type { WebhookListOptions } from './webhook-list.js';
export type { RotateOptions, Webhooks } from './webhooks.js';
