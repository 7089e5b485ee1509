import type { Recorder } from './recorder.js';
import type { Result, Results } from './result.js';
import { type BoundClaim, type Sending, type SendOptions, send } from './send.js';
import type { HeldClaim } from './slots.js';
import { failed } from './verdict.js';

export interface DelivererOptions extends SendOptions {
  readonly results: Results;
  readonly recorder: Recorder;
  readonly leaseMs: number;
  /** A lease with less than that left is as good as over. */
  readonly leftMs: number;
  readonly monotonic: () => number;
}

/** A claimed delivery on its way. */
export interface Flight {
  readonly held: HeldClaim;
  /** Resolves when its receiver is done with: it has answered, or nothing is sent. Never rejects. */
  readonly answered: Promise<void>;
  /** Resolves when its result is written, or nobody can write it any more. Never rejects. */
  readonly landed: Promise<void>;
  /**
   * Ends the attempt: `released` gives the delivery back uncounted, unless its channel says in a moment that it is
   * delivered; `lost` leaves it to whoever has it now.
   */
  end(why: 'released' | 'lost'): void;
}

export interface Deliverer {
  /** Begins, sends, decides, records. */
  deliver(held: HeldClaim): Flight;
  /** Gives back what was never started. */
  release(held: HeldClaim): Flight;
}

/** How long a channel may take to say how it went when a stop's grace time is over. */
const momentMs = 250;

export function deliverer(options: DelivererOptions): Deliverer {
  const { results, recorder, leaseMs, leftMs, monotonic } = options;

  return {
    deliver(held) {
      const { claim } = held;
      let sending: Sending | undefined;
      let ended: 'released' | 'lost' | undefined;
      let onAnswer!: () => void;
      const answered = new Promise<void>((resolve) => {
        onAnswer = resolve;
      });

      /** What becomes of it; undefined where it is another's. */
      async function fly(): Promise<Result | undefined> {
        const unsent = results.before(claim);
        if (unsent) return unsent;
        let startedAt: Date | undefined;
        try {
          // Written before anything is sent: whatever becomes of this process, it counts.
          startedAt = held.begunAt ?? (await recorder.begin(claim));
        } catch (error) {
          recorder.failed(error);
          return results.released();
        }
        if (!startedAt || ended === 'lost') return undefined;
        // This process may have slept since.
        const isLate = monotonic() > held.heldUntil - leftMs;
        if (ended === 'released' || isLate) return results.released();
        const sentAt = monotonic();
        // Tried again as the schedule says: somebody may repair it.
        if (claim.unreadable !== undefined) {
          return results.after(claim, failed('config', claim.unreadable), startedAt, sentAt);
        }
        sending = send(claim as BoundClaim, startedAt, options);
        const verdict = await sending.verdict;
        if (ended === 'lost') return undefined;
        const isReleased = ended === 'released' && verdict.outcome !== 'delivered';
        return isReleased ? results.released(verdict) : results.after(claim, verdict, startedAt, sentAt);
      }

      async function land(): Promise<void> {
        try {
          const result = await fly();
          onAnswer();
          await (result ? recorder.record(claim, result) : recorder.lost(claim));
        } catch (error) {
          // Nobody knows how it went: its lease ends by itself, and that goes on record.
          recorder.failed(error);
          onAnswer();
        }
      }

      return {
        held,
        answered,
        landed: land(),
        end(why) {
          ended ??= why;
          // Who has it by now is worth knowing; a lease that is lost is another's already.
          const moment = why === 'lost' ? 0 : Math.min(momentMs, leaseMs / 2);
          sending?.end(failed('channel_error', why), moment);
        },
      };
    },

    release: (held) => ({
      held,
      answered: Promise.resolve(),
      landed: recorder.record(held.claim, results.released()),
      end: () => {},
    }),
  };
}
