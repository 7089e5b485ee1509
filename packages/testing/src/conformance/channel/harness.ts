import type { Channel } from '@posthorn/core';
import type { Harness, Rule } from '../rule.js';

/**
 * What the receiver does with all that comes from now on: says yes; says no; says no and quotes what it received;
 * says yes at great length (1 MiB); hangs up without a word; or takes it and never answers.
 */
export type Answer = 'success' | 'failure' | 'echo' | 'flood' | 'hangup' | 'never';

/** One message as the receiver saw it. What the channel does not carry is left out: skip its rules with a reason. */
export interface Received {
  /** What a receiver tells repetitions by. */
  readonly eventId?: string;
  /** The event's own payload, parsed. */
  readonly payload?: unknown;
}

/** A channel and a receiver of its own for one rule. The functions are called without a `this`. */
export interface ChannelUnderTest<Configs = unknown> {
  readonly channel: Channel<Configs>;
  /** Configs as an application would write them, in all their variety; each of them reaches the receiver. */
  readonly configs: readonly unknown[];
  /** What in them is secret: it must not come back. */
  readonly secrets?: readonly string[];
  readonly answer: (how: Answer) => void;
  /** All that reached the receiver, in order. */
  readonly received: () => readonly Received[];
  readonly close?: () => Promise<void>;
}

/** What an author of a channel writes to have it proven. */
export type ChannelHarness<Configs = unknown> = Harness<ChannelUnderTest<Configs>>;

/** One promise of a channel, and its proof. */
export type ChannelRule = Rule<ChannelUnderTest>;
