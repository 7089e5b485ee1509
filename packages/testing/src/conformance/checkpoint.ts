import assert from 'node:assert/strict';
import type { Channel } from '@posthorn/core';
import type { Message, Verdict } from '@posthorn/core/channel';
import { ok, same } from './assertions.js';
import { newMessage, send, storedConfigs } from './channel/sample.js';
import { type Harness, type Rule, register, topic } from './rule.js';

/**
 * How a recipient answers every message from now on: accepts it, fails temporarily, refuses it for good, or is the one
 * at which the service has reached its limit.
 */
export type RecipientAnswer = 'takes' | 'failsForNow' | 'refuses' | 'rate_limited';

/** A channel and its recipients, for one rule. The functions are called without a `this`. */
export interface CheckpointUnderTest<Configs = unknown> {
  readonly channel: Channel<Configs>;
  /** Configs as an application would write them, with exactly these recipients. */
  readonly configs: unknown;
  /** Three or more recipients, named by the harness. At first all of them accept messages. */
  readonly recipients: readonly string[];
  readonly answer: (recipient: string, how: RecipientAnswer) => void;
  /** The recipients that were asked to accept a message, in order, whatever the answer. */
  readonly asked: () => readonly string[];
  readonly close?: () => Promise<void>;
}

/** The harness that the author of a channel to several recipients writes. */
export type CheckpointHarness<Configs = unknown> = Harness<CheckpointUnderTest<Configs>>;

/** One promise of such a channel, and its test. */
export type CheckpointRule = Rule<CheckpointUnderTest>;

/** Returns the message that the engine passes to the attempt after `verdict`. */
const after = (message: Message, verdict: Verdict): Message => {
  const { checkpoint: _, ...same } = message;
  const checkpoint = 'checkpoint' in verdict ? verdict.checkpoint : undefined;
  return { ...same, attempt: message.attempt + 1, ...(checkpoint !== undefined && { checkpoint }) };
};

async function messageOf(under: CheckpointUnderTest): Promise<Message> {
  ok(under.recipients.length >= 3, 'the harness must name at least three recipients');
  return newMessage(await storedConfigs(under, under.configs));
}

/** Sends, and returns the verdict and the recipients that were asked. */
async function attempt(
  under: CheckpointUnderTest,
  message: Message,
): Promise<{ verdict: Verdict; asked: string[] }> {
  const before = under.asked().length;
  const verdict = await send(under, message);
  return { verdict, asked: under.asked().slice(before).toSorted() };
}

/** All rules for a channel to several recipients, to run them without a test runner. */
export const checkpointRules: readonly CheckpointRule[] = topic<CheckpointUnderTest>('checkpoint', {
  'all are asked once, and when all have accepted, it is delivered': async (under) => {
    const { verdict, asked } = await attempt(under, await messageOf(under));
    assert.equal(verdict.outcome, 'delivered');
    same(asked, under.recipients.toSorted());
  },

  'while one fails temporarily, it has failed': async (under) => {
    under.answer(under.recipients[1]!, 'failsForNow');
    const { verdict } = await attempt(under, await messageOf(under));
    assert.equal(verdict.outcome, 'failed');
  },

  'a second attempt with the checkpoint of the first skips the recipients that have the message': async (
    under,
  ) => {
    const late = under.recipients[0]!;
    under.answer(late, 'failsForNow');
    const message = await messageOf(under);
    const first = await attempt(under, message);
    under.answer(late, 'takes');
    const second = await attempt(under, after(message, first.verdict));
    same(second.asked, [late]);
    assert.equal(second.verdict.outcome, 'delivered');
  },

  'a checkpoint is carried over many attempts': async (under) => {
    const late = under.recipients.at(-1)!;
    under.answer(late, 'failsForNow');
    let message = await messageOf(under);
    let { verdict } = await attempt(under, message);
    for (let i = 0; i < 5; i++) {
      message = after(message, verdict);
      const next = await attempt(under, message);
      same(next.asked, [late]);
      verdict = next.verdict;
    }
    under.answer(late, 'takes');
    assert.equal((await attempt(under, after(message, verdict))).verdict.outcome, 'delivered');
  },

  'a recipient that refused for good is not asked again': async (under) => {
    const [refusing, late] = under.recipients as [string, string];
    under.answer(refusing, 'refuses');
    under.answer(late, 'failsForNow');
    const message = await messageOf(under);
    const { verdict } = await attempt(under, message);
    under.answer(late, 'takes');
    same((await attempt(under, after(message, verdict))).asked, [late]);
  },

  'a limit that is met half way leaves a checkpoint, too': async (under) => {
    const late = under.recipients.at(-1)!;
    under.answer(late, 'rate_limited');
    const message = await messageOf(under);
    const first = await attempt(under, message);
    assert.equal(first.verdict.outcome, 'rate_limited');
    under.answer(late, 'takes');
    const second = await attempt(under, after(message, first.verdict));
    const have = first.asked.filter((recipient) => recipient !== late);
    ok(have.length > 0, 'some are asked before the limit is reached');
    same(second.asked, under.recipients.filter((recipient) => !have.includes(recipient)).toSorted());
    assert.equal(second.verdict.outcome, 'delivered');
  },

  'a checkpoint is a string of at most 16 Ki characters: a longer one is not kept': async (under) => {
    const [late, ...others] = under.recipients as [string, ...string[]];
    under.answer(late, 'failsForNow');
    for (const [i, other] of others.entries()) under.answer(other, i % 2 === 0 ? 'refuses' : 'takes');
    const { verdict } = await attempt(under, await messageOf(under));
    const checkpoint = 'checkpoint' in verdict ? verdict.checkpoint : undefined;
    ok(typeof checkpoint === 'string', 'a failed verdict must have a checkpoint');
    ok(checkpoint.length <= 16 * 1024, `the checkpoint has ${checkpoint.length} characters`);
  },

  'it is rejected when all have refused, in one attempt or over several': async (under) => {
    for (const recipient of under.recipients) under.answer(recipient, 'refuses');
    assert.equal((await attempt(under, await messageOf(under))).verdict.outcome, 'rejected');
    under.answer(under.recipients[0]!, 'failsForNow');
    const message = await messageOf(under);
    const { verdict } = await attempt(under, message);
    assert.equal(verdict.outcome, 'failed');
    under.answer(under.recipients[0]!, 'refuses');
    assert.equal((await attempt(under, after(message, verdict))).verdict.outcome, 'rejected');
  },

  'an unreadable checkpoint leaves out no recipient': async (under) => {
    for (const checkpoint of ['', 'null', '{}', '[]', '{"', 'x'.repeat(16 * 1024)]) {
      const { asked } = await attempt(under, { ...(await messageOf(under)), checkpoint });
      same(asked, under.recipients.toSorted());
    }
  },

  'the checkpoint of one delivery does not affect another': async (under) => {
    const message = await messageOf(under);
    under.answer(under.recipients[0]!, 'failsForNow');
    await attempt(under, message);
    under.answer(under.recipients[0]!, 'takes');
    same((await attempt(under, await messageOf(under))).asked, under.recipients.toSorted());
  },
});

/**
 * Tests that a channel which sends one message to several recipients records, in the checkpoint of its failed verdict, which
 * of them have it. Registers one test for each rule with the harness's runner, in addition to `channelConformance`.
 * Throws `invalid_option` for a skip that matches no rule or has no reason.
 */
export function checkpointConformance<Configs>(harness: CheckpointHarness<Configs>): void {
  register('checkpoint conformance', checkpointRules, harness);
}
