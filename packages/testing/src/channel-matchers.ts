import type { RecordingChannel } from './recording-channel.js';

/*
 * The matchers for a recording channel, in the form that `expect.extend` of Vitest and of Jest takes. The entries
 * `/vitest`, `/jest` and `/node` offer them to each runner.
 */

/** The matchers, as methods of `expect(channel)`. */
export interface ChannelMatchers<Result> {
  /** Passes where at least one delivery of `type` succeeded; with `payload`, one whose payload contains all of it. */
  toHaveDelivered(type: string, payload?: unknown): Result;
  /** Passes where this many deliveries of `type` succeeded. */
  toHaveDeliveredTimes(type: string, count: number): Result;
  /** Passes where nothing was delivered. */
  toHaveDeliveredNothing(): Result;
}

/** The part of the runner's `this` that the matchers use. */
export interface MatcherContext {
  readonly isNot?: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each runner declares its own types of testers.
  equals(actual: unknown, expected: unknown, testers?: any[]): boolean;
  readonly utils: {
    readonly subsetEquality?: unknown;
    readonly iterableEquality?: unknown;
    stringify(value: unknown): string;
  };
}

/** The verdict of a matcher. */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** Returns the deliveries of the channel. Throws where `channel` is not a recording channel. */
function deliveriesOf(channel: RecordingChannel): RecordingChannel['deliveries'] {
  if (!Array.isArray(channel?.deliveries)) throw new TypeError('expect() must be given a recordingChannel');
  return channel.deliveries;
}

const typesIn = (deliveries: RecordingChannel['deliveries']): string =>
  deliveries.map(({ type }) => type).join(', ') || 'nothing';

/** Pass them to `expect.extend`. */
export const channelMatchers = {
  toHaveDelivered(
    this: MatcherContext,
    channel: RecordingChannel,
    type: string,
    payload?: unknown,
  ): MatcherResult {
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
  toHaveDeliveredTimes(
    this: MatcherContext,
    channel: RecordingChannel,
    type: string,
    count: number,
  ): MatcherResult {
    const seen = deliveriesOf(channel).filter((delivery) => delivery.type === type).length;
    const not = this.isNot ? 'not ' : '';
    return {
      pass: seen === count,
      message: () => `expected ${not}${count} of ${type} to be delivered; there were ${seen}`,
    };
  },
  toHaveDeliveredNothing(this: MatcherContext, channel: RecordingChannel): MatcherResult {
    const deliveries = deliveriesOf(channel);
    const what = this.isNot ? 'a delivery' : 'no delivery';
    return {
      pass: deliveries.length === 0,
      message: () => `expected ${what}; delivered: ${typesIn(deliveries)}`,
    };
  },
};
