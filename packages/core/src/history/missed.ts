import { setImmediate as nextTurn } from 'node:timers/promises';
import { matchKeys } from '../match.js';
import type { Webhook } from '../models/webhook.js';
import { type NearMiss, nearMissesOf } from './near-miss.js';
import { whyPaused } from './next-step.js';

/** A webhook as an explanation names it. */
export type NamedWebhook = Pick<Webhook, 'id' | 'name' | 'isActive'>;

/**
 * Why a webhook has no delivery of an event. `pattern`: none of its patterns covers the type. Of the others one does, but
 * it is `paused` by the application or `disabled` by the engine now, or was `created_later` or `changed_later` than the
 * event was published. What it was like before its last change is not on record: also whether it was on.
 */
export type MissReason = 'paused' | 'disabled' | 'created_later' | 'changed_later' | 'pattern';

export interface MissedWebhook {
  readonly webhook: NamedWebhook;
  /** The one that covers the type, or misses it most narrowly. */
  readonly pattern: string;
  readonly reason: MissReason;
  /** In words, for people: `segment 2 is updated, not created`. */
  readonly message: string;
}

/** So many webhooks are told of. */
export const maxMissed = 50;

/** So many patterns are judged before others have their turn of the event loop. */
const maxPatternsOfTurn = 10_000;

export const named = ({ id, name, isActive }: Webhook): NamedWebhook => ({ id, name, isActive });

/** Those of a webhook's patterns that cover `type`, each once. */
export function coveringPatterns(type: string): (webhook: Webhook) => string[] {
  const keys = new Set(matchKeys(type));
  return ({ eventTypes }) => [...new Set(eventTypes)].filter((pattern) => keys.has(pattern));
}

/**
 * Why a webhook with a pattern that covers the type has no delivery of what was published at `publishedAt`, in
 * milliseconds since 1970; undefined where it should have one.
 */
export function whyWithout(
  webhook: Webhook,
  publishedAt: number,
): Pick<MissedWebhook, 'reason' | 'message'> | undefined {
  const { isActive, createdAt, updatedAt, disabledReason } = webhook;
  // In the same millisecond: had an active one been there before, it would have a delivery.
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

/** What makes the delivery that a webhook would have had, where the storage keeps replays: one is not told of what it refuses. */
export const remedyFor = ({ isActive }: Webhook): string =>
  `${isActive ? '' : 'when it is active again, '}replays.create({ missed: true }) makes its delivery`;

/** The `maxMissed` of `webhooks` that nearly cover `type`, and do not: the nearest first. */
export async function nearlyMatching(
  webhooks: AsyncIterable<Webhook>,
  type: string,
): Promise<readonly MissedWebhook[]> {
  const keys = new Set(matchKeys(type));
  const nearMiss = nearMissesOf(type);
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
