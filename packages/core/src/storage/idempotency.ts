import { PosthornError } from '../errors.js';
import type { NewEvent, Published } from './ports.js';

/** How long an idempotency key is remembered at least, in milliseconds. */
export const keyRetentionMs = 86_400_000;

/** What a storage keeps under an idempotency key of a tenant. */
export interface RememberedKey {
  readonly fingerprint: string | undefined;
  readonly published: Published;
  /** When it was published. */
  readonly at: number;
}

/**
 * The first result where `event` repeats what was published under its idempotency key; undefined where the key is new, or
 * its time is over. Throws `idempotency_conflict` where the key was used for another event.
 */
export function repeatedResult(
  event: Pick<NewEvent, 'type' | 'fingerprint'>,
  remembered: RememberedKey | undefined,
  now: number,
): Published | undefined {
  if (!remembered || remembered.at + keyRetentionMs < now) return undefined;
  if (remembered.fingerprint === event.fingerprint) return remembered.published;
  throw new PosthornError(
    'idempotency_conflict',
    `idempotency key of ${event.type} was used before, with another event; use a new key, or send the same event`,
  );
}
