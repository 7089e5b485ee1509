import assert from 'node:assert/strict';
import type { Channel, Message, Verdict } from '@posthorn/core';
import { ok, same } from './assertions.js';
import { newMessage, send, storedConfigs } from './channel/sample.js';
import { type Harness, type Rule, register, topic } from './rule.js';

/**
 * What a recipient does with everything that comes from now on: takes it; fails for now; refuses it for good; or is the
 * one at whom the service has met its limit.
 */
export type RecipientAnswer = 'takes' | 'failsForNow' | 'refuses' | 'busy';

/** A channel, and a message's worth of recipients of its own for one rule. The functions are called without a `this`. */
export interface MemoUnderTest<Configs = unknown> {
  readonly channel: Channel<Configs>;
  /** Configs as an application would write them, of exactly these recipients. */
  readonly configs: unknown;
  /** Three or more, by names of the harness's own. At first all of them take what comes. */
  readonly recipients: readonly string[];
  readonly answer: (recipient: string, how: RecipientAnswer) => void;
  /** Who was asked to take a message, in order, whatever the answer was. */
  readonly asked: () => readonly string[];
  readonly close?: () => Promise<void>;
}

/** What an author of a channel to several recipients writes to have it proven. */
export type MemoHarness<Configs = unknown> = Harness<MemoUnderTest<Configs>>;

/** One promise of such a channel, and its proof. */
export type MemoRule = Rule<MemoUnderTest>;

/** What the engine hands over for the attempt after `verdict`. */
const after = (message: Message, verdict: Verdict): Message => {
  const { memo: _, ...same } = message;
  const memo = 'memo' in verdict ? verdict.memo : undefined;
  return { ...same, attempt: message.attempt + 1, ...(memo !== undefined && { memo }) };
};

async function messageOf(under: MemoUnderTest): Promise<Message> {
  ok(under.recipients.length >= 3, 'the harness names three recipients at least');
  return newMessage(await storedConfigs(under, under.configs));
}

/** Sends, and tells with the verdict whom that asked. */
async function attempt(
  under: MemoUnderTest,
  message: Message,
): Promise<{ verdict: Verdict; asked: string[] }> {
  const before = under.asked().length;
  const verdict = await send(under, message);
  return { verdict, asked: under.asked().slice(before).toSorted() };
}

/** All that a channel to several recipients promises: for running it without a test runner. */
export const memoRules: readonly MemoRule[] = topic<MemoUnderTest>('memo', {
  'all are asked once, and when all have it, it is delivered': async (under) => {
    const { verdict, asked } = await attempt(under, await messageOf(under));
    assert.equal(verdict.outcome, 'delivered');
    same(asked, under.recipients.toSorted());
  },

  'while one fails for now, it has failed': async (under) => {
    under.answer(under.recipients[1]!, 'failsForNow');
    const { verdict } = await attempt(under, await messageOf(under));
    assert.equal(verdict.outcome, 'failed');
  },

  'a second attempt with the memo of the first does not reach again whoever has it': async (under) => {
    const late = under.recipients[0]!;
    under.answer(late, 'failsForNow');
    const message = await messageOf(under);
    const first = await attempt(under, message);
    under.answer(late, 'takes');
    const second = await attempt(under, after(message, first.verdict));
    same(second.asked, [late]);
    assert.equal(second.verdict.outcome, 'delivered');
  },

  'what was remembered is remembered over many attempts': async (under) => {
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

  'who refused it for good is not asked again': async (under) => {
    const [refusing, late] = under.recipients as [string, string];
    under.answer(refusing, 'refuses');
    under.answer(late, 'failsForNow');
    const message = await messageOf(under);
    const { verdict } = await attempt(under, message);
    under.answer(late, 'takes');
    same((await attempt(under, after(message, verdict))).asked, [late]);
  },

  'a limit that is met half way leaves a memo, too': async (under) => {
    const late = under.recipients.at(-1)!;
    under.answer(late, 'busy');
    const message = await messageOf(under);
    const first = await attempt(under, message);
    assert.equal(first.verdict.outcome, 'busy');
    under.answer(late, 'takes');
    const second = await attempt(under, after(message, first.verdict));
    const have = first.asked.filter((recipient) => recipient !== late);
    ok(have.length > 0, 'some are asked before the limit is met');
    same(second.asked, under.recipients.filter((recipient) => !have.includes(recipient)).toSorted());
    assert.equal(second.verdict.outcome, 'delivered');
  },

  'a memo is text of 16 Ki characters at most: a longer one is not kept': async (under) => {
    const [late, ...others] = under.recipients as [string, ...string[]];
    under.answer(late, 'failsForNow');
    for (const [i, other] of others.entries()) under.answer(other, i % 2 === 0 ? 'refuses' : 'takes');
    const { verdict } = await attempt(under, await messageOf(under));
    const memo = 'memo' in verdict ? verdict.memo : undefined;
    ok(typeof memo === 'string', 'a verdict that has failed leaves a memo');
    ok(memo.length <= 16 * 1024, `the memo has ${memo.length} characters`);
  },

  'all refusing is a rejection, at once or one after the other': async (under) => {
    for (const recipient of under.recipients) under.answer(recipient, 'refuses');
    assert.equal((await attempt(under, await messageOf(under))).verdict.outcome, 'rejected');
    under.answer(under.recipients[0]!, 'failsForNow');
    const message = await messageOf(under);
    const { verdict } = await attempt(under, message);
    assert.equal(verdict.outcome, 'failed');
    under.answer(under.recipients[0]!, 'refuses');
    assert.equal((await attempt(under, after(message, verdict))).verdict.outcome, 'rejected');
  },

  'a memo that nobody can read leaves nobody out': async (under) => {
    for (const memo of ['', 'null', '{}', '[]', '{"', 'x'.repeat(16 * 1024)]) {
      const { asked } = await attempt(under, { ...(await messageOf(under)), memo });
      same(asked, under.recipients.toSorted());
    }
  },

  'the memo of one delivery is none of another': async (under) => {
    const message = await messageOf(under);
    under.answer(under.recipients[0]!, 'failsForNow');
    await attempt(under, message);
    under.answer(under.recipients[0]!, 'takes');
    same((await attempt(under, await messageOf(under))).asked, under.recipients.toSorted());
  },
});

/**
 * Proves that a channel which reaches several recipients with one message remembers, in the memo of its failed verdict,
 * who has it: registers a test for each rule with the harness's runner, besides those of `channelConformance`. Throws
 * `invalid_option` for a skip that names no rule or has no reason.
 */
export function memoConformance<Configs>(harness: MemoHarness<Configs>): void {
  register('memo conformance', memoRules, harness);
}
