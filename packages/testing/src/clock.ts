import type { Duration } from '@posthorn/core';
import { toMs } from '@posthorn/core/schemas';

/** A clock that stands still until it is advanced. Pass `now` wherever a clock is an option. */
export interface VirtualClock {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Advances the clock. Runs nothing by itself: timers and polls do that. */
  advance(duration: Duration): void;
}

/** Creates a clock. `start` defaults to 2026-01-01T00:00:00Z, so that tests print the same times every day. */
export function virtualClock(start: Date = new Date('2026-01-01T00:00:00Z')): VirtualClock {
  let time = start.getTime();
  return {
    now: () => time,
    advance(duration) {
      time += toMs(duration, 'duration');
    },
  };
}
