/*
 * For authors of channels: what a channel gets, what it reports, and what channels have in common.
 */
export type { Cancellation } from './channels/cancellation.js';
export type { AnyChannel, Channel, DigestedEvent, Message, PreviewPart } from './channels/channel.js';
export { checkedText, configsSchema } from './channels/configs.js';
export { domainInAscii } from './channels/domain.js';
export type { FunctionHandler, NoConfigs } from './channels/function-channel.js';
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
export { withDeadline } from './deadline.js';
export { describeIssues, describeType } from './errors.js';
export { failureKindSchema } from './models/failure-kind.js';
export { redact } from './secrets/redact.js';
export { type ParsedSecret, parseSecret } from './secrets/secrets.js';
export { parseOptions } from './validation.js';
