import { type Duration, toMs } from '@posthorn/core';

/** A clock that stands still until it is moved. Hand `now` to whatever asks for the time. */
export interface VirtualClock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Moves the clock on. Nothing runs by itself: that is for whoever waits for the time. */
  advance(duration: Duration): void;
}

/** Begins at `start`; default 2026-01-01T00:00:00Z, so that tests print the same instants every day. */
export function virtualClock(start: Date = new Date('2026-01-01T00:00:00Z')): VirtualClock {
  let time = start.getTime();
  return {
    now: () => time,
    advance(duration) {
      time += toMs(duration, 'duration');
    },
  };
}
