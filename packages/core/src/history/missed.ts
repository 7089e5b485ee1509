import { setImmediate as nextTurn } from 'node:timers/promises';
import { matchKeys } from '../matching.js';
import type { Webhook } from '../models/webhook.js';
import { findNearMisses, type NearMiss } from './near-miss.js';
import { whyPaused } from './next-step.js';

/** A webhook as an explanation shows it. */
export type NamedWebhook = Pick<Webhook, 'id' | 'name' | 'isActive'>;

/**
 * Why a webhook has no delivery of an event.
 * - `pattern`: none of its patterns covers the type. In all other cases one does.
 * - `paused`: the application has paused it.
 * - `disabled`: the engine has disabled it.
 * - `created_later`: it was created after the event was published.
 * - `changed_later`: it was changed after the event was published. Its state before that, including whether it was
 *   active, is not on record.
 */
type MissReason = 'paused' | 'disabled' | 'created_later' | 'changed_later' | 'pattern';

/** A webhook that has no delivery of an event, and why. */
export interface MissedWebhook {
  readonly webhook: NamedWebhook;
  /** The pattern that covers the type, or is nearest to it. */
  readonly pattern: string;
  readonly reason: MissReason;
  /** The reason in words, for people, such as `segment 2 is updated, not created`. */
  readonly message: string;
}

/** The most missed webhooks in an explanation. */
export const maxMissed = 50;

/** The most patterns compared in one turn of the event loop. */
const maxPatternsOfTurn = 10_000;

/** Reduces a webhook to what an explanation shows. */
export const named = ({ id, name, isActive }: Webhook): NamedWebhook => ({ id, name, isActive });

/** Returns a function that lists the patterns of a webhook that cover `type`, each once. */
export function coveringPatterns(type: string): (webhook: Webhook) => string[] {
  const keys = new Set(matchKeys(type));
  return ({ eventTypes }) => [...new Set(eventTypes)].filter((pattern) => keys.has(pattern));
}

/**
 * Explains why a webhook has no delivery of an event that was published at `publishedAt`, in milliseconds since 1970,
 * although one of its patterns covers the type. Returns undefined if it should have one.
 */
export function explainUnmatched(
  webhook: Webhook,
  publishedAt: number,
): Pick<MissedWebhook, 'reason' | 'message'> | undefined {
  const { isActive, createdAt, updatedAt, disabledReason } = webhook;
  // In the same millisecond, an active webhook was created or changed later: otherwise it would have a delivery.
  const isLater = (at: Date): boolean => at.getTime() + (isActive ? 1 : 0) > publishedAt;
  const before = `the event was published at ${new Date(publishedAt).toISOString()}`;
  if (isLater(createdAt)) {
    return { reason: 'created_later', message: `it was created at ${createdAt.toISOString()}, ${before}` };
  }
  const changed = `it was changed at ${updatedAt.toISOString()}, ${before}, and`;
  if (isActive) {
    if (!isLater(updatedAt)) return undefined;
    const then = 'whether it was paused then, or had other event types, is not on record';
    return { reason: 'changed_later', message: `${changed} ${then}` };
  }
  const paused = whyPaused(webhook);
  return {
    reason: disabledReason === null ? 'paused' : 'disabled',
    message: isLater(updatedAt)
      ? `${paused}; ${changed} whether it was paused then is not on record`
      : paused,
  };
}

/** How to create the delivery that the webhook missed. Only for a storage that supports replays. */
export const remedyFor = ({ isActive }: Webhook): string =>
  `${isActive ? '' : 'when it is active again, '}replays.create({ missed: true }) creates its delivery`;

/** Resolves to up to {@link maxMissed} webhooks whose patterns nearly cover `type`, the nearest first. */
export async function nearlyMatching(
  webhooks: AsyncIterable<Webhook>,
  type: string,
): Promise<readonly MissedWebhook[]> {
  const keys = new Set(matchKeys(type));
  const nearMiss = findNearMisses(type);
  const found: { readonly webhook: NamedWebhook; readonly pattern: string; readonly miss: NearMiss }[] = [];
  let judged = 0;
  for await (const webhook of webhooks) {
    judged += webhook.eventTypes.length;
    if (judged > maxPatternsOfTurn) {
      judged = 0;
      await nextTurn();
    }
    if (webhook.eventTypes.some((pattern) => keys.has(pattern))) continue;
    let nearest: { readonly pattern: string; readonly miss: NearMiss } | undefined;
    for (const pattern of webhook.eventTypes) {
      const miss = nearMiss(pattern);
      if (miss && (!nearest || miss.distance < nearest.miss.distance)) nearest = { pattern, miss };
    }
    if (nearest) found.push({ webhook: named(webhook), ...nearest });
  }
  return found
    .sort((one, other) => one.miss.distance - other.miss.distance)
    .slice(0, maxMissed)
    .map(({ webhook, pattern, miss }) => ({
      webhook,
      pattern,
      reason: 'pattern',
      message: miss.describe(),
    }));
}
