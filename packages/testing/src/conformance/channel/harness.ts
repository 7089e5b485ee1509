import type { Channel } from '@posthorn/core';
import type { Harness, Rule } from '../rule.js';

/**
 * What the receiver does with everything that comes from now on:
 * - `success`: it says yes;
 * - `failure`: it says no;
 * - `refusal`: it says no in the body of an answer whose status says yes, as services do that always answer 200;
 * - `busy`: it has met its documented limit, and asks to be left alone for so many seconds;
 * - `gone`: it says that it is gone for good;
 * - `echo`: it says no and quotes everything that it received;
 * - `flood`: it says yes at great length (1 MiB);
 * - `hangup`: it closes the connection without an answer;
 * - `never`: it takes the message and never answers.
 */
export type Answer =
  | 'success'
  | 'failure'
  | 'refusal'
  | 'busy'
  | 'gone'
  | 'echo'
  | 'flood'
  | 'hangup'
  | 'never';

/** One message as the receiver saw it. What the channel does not carry is left out: skip its rules with a reason. */
export interface Received {
  /** What a receiver tells repetitions by. */
  readonly eventId?: string;
  /** The event's own payload, parsed. */
  readonly payload?: unknown;
  /**
   * What it got to show or to read, decoded, by the names that the channel's preview gives its parts. Leave out what only
   * an attempt knows: an id of the attempt, say. A channel with a preview or with digests is held to it.
   */
  readonly parts?: Readonly<Record<string, string>>;
}

/** A channel and a receiver of its own for one rule. The functions are called without a `this`. */
export interface ChannelUnderTest<Configs = unknown> {
  readonly channel: Channel<Configs>;
  /**
   * Configs as an application would write them, in all their variety; each of them reaches the receiver. The first have no
   * template: what they send is for the channel to write.
   */
  readonly configs: readonly unknown[];
  /** What in them is secret: it must not come back. Name some where the channel has `secretPaths`. */
  readonly secrets?: readonly string[];
  /** `seconds`, from 1 to 100, are what a receiver that is `busy` asks for. */
  readonly answer: (how: Answer, seconds?: number) => void;
  /** All that reached the receiver, in order. */
  readonly received: () => readonly Received[];
  readonly close?: () => Promise<void>;
}

/** What an author of a channel writes to have it proven. */
export type ChannelHarness<Configs = unknown> = Harness<ChannelUnderTest<Configs>>;

/** One promise of a channel, and its proof. */
export type ChannelRule = Rule<ChannelUnderTest>;
