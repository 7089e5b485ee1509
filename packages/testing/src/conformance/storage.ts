import { type Rule, register } from './rule.js';
import { backfillRules } from './storage/backfill.js';
import { beginRules } from './storage/begin.js';
import { beginDigestRules } from './storage/begin-digests.js';
import { beginLostRules } from './storage/begin-lost.js';
import { beginRefusedRules } from './storage/begin-refused.js';
import { memosRules } from './storage/checkpoints.js';
import { claimRules } from './storage/claim.js';
import { copiesRules } from './storage/copies.js';
import { currentRules } from './storage/current.js';
import { cutOffRules } from './storage/cut-off.js';
import { deferralDigestRules, deferralRules } from './storage/deferral.js';
import { deletionRules } from './storage/deletion.js';
import { digestChangeRules } from './storage/digest-changes.js';
import { digestMemberRules } from './storage/digest-members.js';
import { digestResultRules } from './storage/digest-results.js';
import { digestSizeRules } from './storage/digest-sizes.js';
import { digestWindowRules } from './storage/digest-windows.js';
import { digestRules } from './storage/digests.js';
import { documentLeaseRules } from './storage/document-leases.js';
import { documentListRules } from './storage/document-lists.js';
import { documentWriteRules } from './storage/document-writes.js';
import { documentRules } from './storage/documents.js';
import { durabilityRules } from './storage/durability.js';
import { durabilityDeliveryRules } from './storage/durability-deliveries.js';
import { escalationRules } from './storage/escalation.js';
import { handOffRules } from './storage/hand-off.js';
import type { OpenedStorage, StorageHarness, StorageRule } from './storage/harness.js';
import { idempotencyRules } from './storage/idempotency.js';
import { isolationRules } from './storage/isolation.js';
import { leaseRules } from './storage/lease.js';
import { listRules } from './storage/list.js';
import { logRules } from './storage/log.js';
import { logPageRules } from './storage/log-pages.js';
import { matchingRules } from './storage/matching.js';
import { orderRules } from './storage/order.js';
import { orderingRules } from './storage/ordering.js';
import { orderingRaceRules } from './storage/ordering-races.js';
import { orderingTurnRules } from './storage/ordering-turns.js';
import { pauseRules } from './storage/pause.js';
import { payloadRules } from './storage/payload.js';
import { pruneRules } from './storage/prune.js';
import { publishRules } from './storage/publish.js';
import { racesRules } from './storage/races.js';
import { withSecond } from './storage/second.js';
import { secondRules } from './storage/second-rules.js';
import { countsRules, selectionRules } from './storage/selection.js';
import { settleRules } from './storage/settle.js';
import { settleRefusedRules } from './storage/settle-refused.js';
import { statusRules } from './storage/status.js';
import { transactionsRules } from './storage/transactions.js';
import { transitionDueDigestRules, transitionDueRules } from './storage/transition-due.js';
import { walkRules } from './storage/walk.js';
import { webhookRules } from './storage/webhooks.js';

export type {
  OpenedStorage,
  OpenTransaction,
  SecondProcess,
  StorageHarness,
  StorageRule,
  StorageUnderTest,
} from './storage/harness.js';
export { serveStorage } from './storage/serve-storage.js';

const rules: readonly StorageRule[] = [
  ...webhookRules,
  ...listRules,
  ...publishRules,
  ...matchingRules,
  ...idempotencyRules,
  ...payloadRules,
  ...claimRules,
  ...beginRules,
  ...beginLostRules,
  ...beginRefusedRules,
  ...currentRules,
  ...orderRules,
  ...orderingRules,
  ...orderingTurnRules,
  ...orderingRaceRules,
  ...leaseRules,
  ...handOffRules,
  ...settleRules,
  ...settleRefusedRules,
  ...deferralRules,
  ...memosRules,
  ...escalationRules,
  ...digestRules,
  ...beginDigestRules,
  ...deferralDigestRules,
  ...digestResultRules,
  ...digestMemberRules,
  ...digestChangeRules,
  ...digestWindowRules,
  ...digestSizeRules,
  ...transitionDueDigestRules,
  ...pauseRules,
  ...deletionRules,
  ...logRules,
  ...logPageRules,
  ...selectionRules,
  ...countsRules,
  ...statusRules,
  ...transitionDueRules,
  ...pruneRules,
  ...backfillRules,
  ...documentRules,
  ...documentWriteRules,
  ...documentListRules,
  ...documentLeaseRules,
  ...isolationRules,
  ...copiesRules,
  ...racesRules,
  ...secondRules,
  ...transactionsRules,
  ...durabilityRules,
  ...durabilityDeliveryRules,
  ...cutOffRules,
  ...walkRules,
];

/** All that a storage promises, in the order of an event's life: for running it without a test runner. */
export const storageRules: readonly Rule<OpenedStorage>[] = rules.map(({ topic, title, run }) => ({
  topic,
  title,
  run: (opened) => withSecond(opened, run),
}));

/**
 * Proves a storage: registers a test for each sentence of the port with the harness's runner. A storage that passes
 * is one that the engine can trust. Throws `invalid_option` for a skip that names no rule or has no reason.
 */
export function storageConformance<Tx>(harness: StorageHarness<Tx>): void {
  register('storage conformance', storageRules, harness);
}
