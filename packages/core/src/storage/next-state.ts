interface Unfinished {
  /**
   * A note of the channel for the next attempt, also for a manual retry of a dead one. Left out: the present checkpoint
   * stays.
   */
  readonly checkpoint?: string;
}

/**
 * The next state of a delivery.
 * - `delivered`: final. Its checkpoint is deleted.
 * - `dead`, `cancelled`: final.
 * - `pending`: the next attempt is due in `delayMs`, by the storage's clock.
 * - `released`: the delivery is due again in `delayMs`, by default at once. Its attempt, if it has begun, is not
 *   counted: nothing has failed.
 * - `split`: the digest was too large and becomes two. The latter half of its deliveries, rounded down, leaves it and
 *   forms a digest of its own, with the same checkpoint. Both are due at once, with a new schedule. A single delivery, or
 *   a digest with one event left, is not split, but is due at once, too.
 */
export type NextState =
  | { readonly status: 'delivered' | 'cancelled' }
  | ({ readonly status: 'dead' } & Unfinished)
  | ({ readonly status: 'split' } & Unfinished)
  | ({ readonly status: 'released'; readonly delayMs?: number } & Unfinished)
  | ({
      readonly status: 'pending';
      readonly delayMs: number;
      /** Whether later deliveries with its ordering key may overtake it from now on. Default false. */
      readonly unblocksOrder?: boolean;
      /** Whether the receiver was rate limited: the deferral of the delivery continues. Default false. */
      readonly isRateLimited?: boolean;
      /**
       * Whether the attempt does not count for the retry schedule; claims report it until a manual retry. Default
       * false.
       */
      readonly isUncounted?: boolean;
    } & Unfinished);
