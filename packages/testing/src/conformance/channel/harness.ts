import type { Channel } from '@posthorn/core';
import type { Harness, Rule } from '../rule.js';

/**
 * How the receiver answers every message from now on:
 * - `success`: accepts it;
 * - `failure`: fails;
 * - `refusal`: reports the failure in the body of a successful response, as services do that always answer 200;
 * - `rate_limited`: has reached its documented limit, and asks for a wait in seconds;
 * - `gone`: reports that it is gone for good;
 * - `echo`: fails, and quotes everything that it received;
 * - `flood`: accepts it with a long answer (1 MiB);
 * - `hangup`: closes the connection without an answer;
 * - `never`: reads the message and never answers.
 */
export type Answer =
  | 'success'
  | 'failure'
  | 'refusal'
  | 'rate_limited'
  | 'gone'
  | 'echo'
  | 'flood'
  | 'hangup'
  | 'never';

/** One message as the receiver saw it. Leave out what the channel does not send, and skip its rules with a reason. */
export interface Received {
  /** The id by which a receiver recognizes repetitions. */
  readonly eventId?: string;
  /** The event's own payload, parsed. */
  readonly payload?: unknown;
  /**
   * The decoded parts that the receiver got to display or read, by the names that the channel's preview gives them.
   * Leave out parts that only an attempt knows, such as the id of the attempt. Required for a channel with a preview or
   * with digests.
   */
  readonly parts?: Readonly<Record<string, string>>;
}

/** A channel and its own receiver, for one rule. The functions are called without a `this`. */
export interface ChannelUnderTest<Configs = unknown> {
  readonly channel: Channel<Configs>;
  /**
   * Configs as an application would write them, in all their variety. Each of them reaches the receiver. The first one
   * has no template, so that the channel writes the message.
   */
  readonly configs: readonly unknown[];
  /** The secrets in the configs, which must not appear elsewhere. Required where the channel has `secretPaths`. */
  readonly secrets?: readonly string[];
  /** `seconds`, 1 to 100, is the wait that a `rate_limited` receiver asks for. */
  readonly answer: (how: Answer, seconds?: number) => void;
  /** Everything that reached the receiver, in order. */
  readonly received: () => readonly Received[];
  readonly close?: () => Promise<void>;
}

/** The harness that the author of a channel writes. */
export type ChannelHarness<Configs = unknown> = Harness<ChannelUnderTest<Configs>>;

/** One promise of a channel, and its test. */
export type ChannelRule = Rule<ChannelUnderTest>;
