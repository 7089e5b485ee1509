interface Unfinished {
  /** For the next attempt, also one that somebody asks for when it is dead. Left out: what was there stays. */
  readonly memo?: string;
}

/**
 * What becomes of a delivery. `pending` waits `delayMs` by the storage's clock; where it `yields`, those behind it
 * with its ordering key may go ahead from now on; where it `isBusy`, it is put off as it was; where it `isUncounted`, the
 * schedule leaves out the attempt, and every claim says so until a manual retry. `released` waits as long, by
 * default for no time, and its attempt, where it has begun, is not counted: nothing has failed. What is `delivered` has no memo any more. `split` makes of a digest two, as it was too large:
 * the latter half of its deliveries leaves it, half of them rounded down, and is a digest with its memo and a name of its
 * own. Both are due at once, with a new schedule; so is what is no digest, or has one event left.
 */
export type NextState =
  | { readonly status: 'delivered' | 'cancelled' }
  | ({ readonly status: 'dead' } & Unfinished)
  | ({ readonly status: 'split' } & Unfinished)
  | ({ readonly status: 'released'; readonly delayMs?: number } & Unfinished)
  | ({
      readonly status: 'pending';
      readonly delayMs: number;
      readonly yields?: boolean;
      readonly isBusy?: boolean;
      readonly isUncounted?: boolean;
    } & Unfinished);
