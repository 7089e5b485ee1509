import { AssertionError } from 'node:assert';
import { inspect, isDeepStrictEqual } from 'node:util';
import { channelMatchers, type MatcherContext, type MatcherResult } from './channel-matchers.js';
import type { RecordingChannel } from './recording-channel.js';

/* The matchers as assertions, for node:test and every runner without `expect`. Each throws an `AssertionError`. */

/** Passes where at least one delivery of `type` succeeded; with `payload`, one whose payload contains all of it. */
export function assertDelivered(channel: RecordingChannel, type: string, payload?: unknown): void {
  check(channelMatchers.toHaveDelivered.call(context, channel, type, payload), assertDelivered);
}

/** Passes where this many deliveries of `type` succeeded. */
export function assertDeliveredTimes(channel: RecordingChannel, type: string, count: number): void {
  check(channelMatchers.toHaveDeliveredTimes.call(context, channel, type, count), assertDeliveredTimes);
}

/** Passes where nothing was delivered. */
export function assertDeliveredNothing(channel: RecordingChannel): void {
  check(channelMatchers.toHaveDeliveredNothing.call(context, channel), assertDeliveredNothing);
}

const context: MatcherContext = {
  equals: contains,
  utils: { stringify: (value) => inspect(value, { depth: 10, breakLength: Number.POSITIVE_INFINITY }) },
};

function check({ pass, message }: MatcherResult, stackStartFn: (...args: never[]) => void): void {
  if (!pass) throw new AssertionError({ message: message(), stackStartFn: stackStartFn as () => void });
}

/** Whether `actual` has every field of `expected`, at every depth. Arrays have the same length, as in `toMatchObject`. */
function contains(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) {
    return isDeepStrictEqual(actual, expected);
  }
  if (Array.isArray(expected) !== Array.isArray(actual)) return false;
  if (Array.isArray(expected) && expected.length !== (actual as unknown[]).length) return false;
  return Object.entries(expected).every(
    ([name, value]) =>
      Object.hasOwn(actual, name) && contains((actual as Record<string, unknown>)[name], value),
  );
}
