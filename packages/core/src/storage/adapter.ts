/*
 * For authors of storages: the logic that every storage shares, as pure functions. `@posthorn/core` itself exports the
 * ports and the models.
 */
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
export { keyRetentionMs, type RememberedKey, repeatedResult } from './idempotency.js';
export { firstBindings, isInRange, isListed, isSelected } from './selected.js';
