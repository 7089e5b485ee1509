import { expect } from 'vitest';
import type { RecordingChannel } from './recording-channel.js';

/*
 * Matchers for a recording channel. `import '@posthorn/testing/vitest'` adds them to Vitest's `expect`.
 */

/** The matchers that `@posthorn/testing/vitest` adds to vitest's `expect`. */
export interface ChannelMatchers<Result> {
  /** Passes where at least one delivery of `type` succeeded; with `payload`, one whose payload contains all of it. */
  toHaveDelivered(type: string, payload?: unknown): Result;
  /** Passes where this many deliveries of `type` succeeded. */
  toHaveDeliveredTimes(type: string, count: number): Result;
  /** Passes where nothing was delivered. */
  toHaveDeliveredNothing(): Result;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: the declaration must be the same as Vitest's own.
  interface Matchers<T = any> extends ChannelMatchers<T> {}
}

/** Returns the deliveries of the channel. Throws where `channel` is not a recording channel. */
function deliveriesOf(channel: RecordingChannel): RecordingChannel['deliveries'] {
  if (!Array.isArray(channel?.deliveries)) throw new TypeError('expect() must be given a recordingChannel');
  return channel.deliveries;
}

const typesIn = (deliveries: RecordingChannel['deliveries']): string =>
  deliveries.map(({ type }) => type).join(', ') || 'nothing';

expect.extend({
  toHaveDelivered(channel: RecordingChannel, type: string, payload?: unknown) {
    const { equals, utils, isNot } = this;
    const deliveries = deliveriesOf(channel);
    const ofType = deliveries.filter((delivery) => delivery.type === type);
    const isWanted = (delivery: { readonly payload: unknown }): boolean =>
      payload === undefined ||
      equals(delivery.payload, payload, [utils.subsetEquality, utils.iterableEquality]);
    return {
      pass: ofType.some(isWanted),
      message: () => {
        const wanted = payload === undefined ? type : `${type} with ${utils.stringify(payload)}`;
        const seen = ofType.map((delivery) => utils.stringify(delivery.payload)).join(', ');
        return `expected ${wanted} ${isNot ? 'not ' : ''}to be delivered; delivered: ${seen || typesIn(deliveries)}`;
      },
    };
  },
  toHaveDeliveredTimes(channel: RecordingChannel, type: string, count: number) {
    const seen = deliveriesOf(channel).filter((delivery) => delivery.type === type).length;
    const not = this.isNot ? 'not ' : '';
    return {
      pass: seen === count,
      message: () => `expected ${not}${count} of ${type} to be delivered; there were ${seen}`,
    };
  },
  toHaveDeliveredNothing(channel: RecordingChannel) {
    const deliveries = deliveriesOf(channel);
    const what = this.isNot ? 'a delivery' : 'no delivery';
    return {
      pass: deliveries.length === 0,
      message: () => `expected ${what}; delivered: ${typesIn(deliveries)}`,
    };
  },
});
