import { PosthornError } from '../errors.js';
import type { NewEvent, PublishResult } from './ports.js';

/** The minimum time for which an idempotency key is stored, in milliseconds. */
export const keyRetentionMs = 86_400_000;

/** What a storage stores with an idempotency key of a tenant. */
export interface RememberedKey {
  /** The fingerprint of the event that was published with the key. */
  readonly fingerprint: string | undefined;
  /** The result of that publication. */
  readonly published: PublishResult;
  /** When the event was published, in milliseconds since 1970. */
  readonly at: number;
}

/**
 * Returns the first result if `event` repeats the event that was published with its idempotency key. Returns undefined
 * if the key is new or expired. Throws `idempotency_conflict` if the key was used for another event.
 */
export function repeatedResult(
  event: Pick<NewEvent, 'type' | 'fingerprint'>,
  remembered: RememberedKey | undefined,
  now: number,
): PublishResult | undefined {
  if (!remembered || remembered.at + keyRetentionMs < now) return undefined;
  checkFingerprint(event, remembered.fingerprint);
  return remembered.published;
}

/** Throws `idempotency_conflict` if the idempotency key of `event` came with an event of another `fingerprint`. */
export function checkFingerprint(
  event: { readonly type: string; readonly fingerprint?: string | undefined },
  fingerprint: string | undefined,
): void {
  if (fingerprint === event.fingerprint) return;
  throw new PosthornError(
    'idempotency_conflict',
    `idempotency key of ${event.type} was used before, with another event: use a new key, or send the same event`,
  );
}
