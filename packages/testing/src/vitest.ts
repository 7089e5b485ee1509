import { expect } from 'vitest';
import type { RecordingChannel } from './recording-channel.js';

/*
 * Matchers for a recording channel. `import '@posthorn/testing/vitest'` adds them to Vitest's `expect`.
 */

export interface ChannelMatchers<Result> {
  /** At least one delivery of `type` succeeded; with `payload`, one whose payload holds all of that. */
  toHaveDelivered(type: string, payload?: unknown): Result;
  /** Exactly `count` deliveries of `type` succeeded. */
  toHaveDeliveredTimes(type: string, count: number): Result;
  /** Nothing was delivered. */
  toHaveDeliveredNothing(): Result;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: the declaration must be the same as Vitest's own.
  interface Matchers<T = any> extends ChannelMatchers<T> {}
}

const types = (channel: RecordingChannel): string =>
  channel.deliveries.map(({ type }) => type).join(', ') || 'nothing';

expect.extend({
  toHaveDelivered(channel: RecordingChannel, type: string, payload?: unknown) {
    const ofType = channel.deliveries.filter((delivery) => delivery.type === type);
    const { equals, utils } = this;
    const pass =
      payload === undefined
        ? ofType.length > 0
        : ofType.some((delivery) =>
            equals(delivery.payload, payload, [utils.subsetEquality, utils.iterableEquality]),
          );
    return {
      pass,
      message: () =>
        `expected ${type}${payload === undefined ? '' : ` with ${utils.stringify(payload)}`} ${this.isNot ? 'not ' : ''}to be delivered; ` +
        `delivered: ${ofType.length > 0 ? ofType.map((delivery) => utils.stringify(delivery.payload)).join(', ') : types(channel)}`,
    };
  },
  toHaveDeliveredTimes(channel: RecordingChannel, type: string, count: number) {
    const seen = channel.deliveries.filter((delivery) => delivery.type === type).length;
    return {
      pass: seen === count,
      message: () => `expected ${count} deliveries of ${type}, there were ${seen}`,
    };
  },
  toHaveDeliveredNothing(channel: RecordingChannel) {
    return {
      pass: channel.deliveries.length === 0,
      message: () => `expected no delivery; delivered: ${types(channel)}`,
    };
  },
});
