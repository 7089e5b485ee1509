/*
 * For authors of storages: the logic that every storage shares, as pure functions. `@posthorn/core` itself exports the
 * ports and the models.
 */

export { withDeadline } from '../deadline.js';
export { maxTimerMs } from '../duration.js';
export { describeType } from '../errors.js';
export { matchKeys, parseEventType, parsePattern } from '../matching.js';
export {
  createIds,
  deliveryId,
  digestId,
  firstEventId,
  type Ids,
  type IdsOptions,
  madeAt,
  parseDeliveryId,
} from '../models/ids.js';
export type { ReplaySelection } from '../models/replay.js';
export { defaultDigestBytes } from '../models/webhook.js';
export { parseOptions } from '../validation.js';
export type * from './backfill.js';
export { checkCursor } from './cursor.js';
export {
  beginAttempt,
  type DeliveryState,
  finish,
  isFinished,
  lease,
  newState,
  restart,
  settle,
} from './delivery-state.js';
export { type DigestLimits, digestLimits, digestSize, isDigestFull } from './digest-size.js';
export type * from './document-store.js';
export { checkFingerprint, keyRetentionMs, type RememberedKey, repeatedResult } from './idempotency.js';
export type * from './log-port.js';
export type { NextState } from './next-state.js';
export type { Page, PageQuery } from './page.js';
export type * from './ports.js';
export { firstBindings, isInRange, isListed, isSelected } from './selected.js';
export type * from './webhook-store.js';
