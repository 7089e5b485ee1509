import { busy, type Channel, delivered, failed, rejected } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type MemoUnderTest, memoConformance, memoRules, type RecipientAnswer } from '../src/index.js';

interface Configs {
  readonly names: readonly string[];
}

/** What a channel remembers of each name: whether it has the message. */
type Memo = Readonly<Record<string, boolean>>;

/** The parts of a channel that a flaw may replace. */
interface Ways {
  /** Returns the recipients to ask, by the memo. */
  left(names: readonly string[], memo: Memo): readonly string[];
  read(memo: string | undefined): Memo;
  /** Returns the memo for the next attempt. */
  write(before: Memo, now: Memo): string | undefined;
  verdict(all: Memo): 'delivered' | 'rejected';
  /** Whether the attempt has failed, with this many recipients that failed temporarily. */
  isFailed(failing: number): boolean;
  /** Returns the memo where the service has reached its limit. */
  writeAtLimit(before: Memo, now: Memo): string | undefined;
}

const sound: Ways = {
  left: (names, memo) => names.filter((name) => !Object.hasOwn(memo, name)),
  read(memo) {
    try {
      return z.record(z.string(), z.boolean()).parse(JSON.parse(memo ?? '{}'));
    } catch {
      return {};
    }
  },
  write: (before, now) => JSON.stringify({ ...before, ...now }),
  verdict: (all) => (Object.values(all).includes(true) ? 'delivered' : 'rejected'),
  isFailed: (failing) => failing > 0,
  writeAtLimit: (before, now) => JSON.stringify({ ...before, ...now }),
};

/** Opens a channel to names in memory that keeps every promise, except for its `flaw`. */
async function open(flaw: Partial<Ways> = {}): Promise<MemoUnderTest<Configs>> {
  const ways = { ...sound, ...flaw };
  const answers = new Map<string, RecipientAnswer>();
  const asked: string[] = [];
  const channel: Channel<Configs> = {
    type: 'names',
    config: z.strictObject({ names: z.array(z.string()) }),
    async send({ memo, configs }) {
      const before = ways.read(memo);
      const now: Record<string, boolean> = {};
      let failing = 0;
      for (const name of ways.left(configs.names, before)) {
        asked.push(name);
        const answer = answers.get(name) ?? 'takes';
        if (answer === 'busy') {
          const memo = ways.writeAtLimit(before, now);
          return busy(1_000, 'too many', memo === undefined ? {} : { memo });
        }
        if (answer === 'failsForNow') failing++;
        else now[name] = answer === 'takes';
      }
      const next = ways.write(before, now);
      if (ways.isFailed(failing)) {
        return failed('refused', `${failing} not now`, next === undefined ? {} : { memo: next });
      }
      return ways.verdict({ ...before, ...now }) === 'delivered'
        ? delivered()
        : rejected('refused', 'no recipient accepts it');
    },
  };
  const recipients = ['ada', 'ben', 'cleo'];
  return {
    channel,
    configs: { names: recipients },
    recipients,
    answer: (name, how) => void answers.set(name, how),
    asked: () => asked,
  };
}

memoConformance({ runner: { describe, test }, open: () => open() });

/** The memory of the whole process, for the flaw that needs no memo. */
const remembered: Record<string, boolean> = {};

/** One broken promise each, and the rule that must notice it. */
const flaws: Readonly<Record<string, [Partial<Ways>, string]>> = {
  'asks only the first': [
    { left: ([first]) => [first!] },
    'all are asked once, and when all have accepted, it is delivered',
  ],
  'is content when one recipient has it': [
    { isFailed: () => false },
    'while one fails temporarily, it has failed',
  ],
  'remembers nothing': [
    { write: () => undefined },
    'a second attempt with the memo of the first skips the recipients that have the message',
  ],
  'remembers the last attempt only': [
    { write: (_, now) => JSON.stringify(now) },
    'a memo is carried over many attempts',
  ],
  'forgets at a limit': [
    { writeAtLimit: () => undefined },
    'a limit that is met half way leaves a memo, too',
  ],
  'remembers more than is kept': [
    { write: (before, now) => JSON.stringify({ ...before, ...now }).padEnd(16 * 1024 + 1) },
    'a memo is a string of at most 16 Ki characters: a longer one is not kept',
  ],
  'asks again who has refused': [
    { left: (names, memo) => names.filter((name) => memo[name] !== true) },
    'a recipient that refused for good is not asked again',
  ],
  'reports it as delivered when no recipient has it': [
    { verdict: () => 'delivered' },
    'it is rejected when all have refused, in one attempt or over several',
  ],
  'fails on an unreadable memo': [
    { read: (memo) => JSON.parse(memo ?? '{}') },
    'an unreadable memo leaves out no recipient',
  ],
  'remembers in its process': [
    { read: () => remembered, write: (_, now) => void Object.assign(remembered, now) },
    'the memo of one delivery does not affect another',
  ],
};

describe('the memo suite notices a channel that', () => {
  test.each(Object.entries(flaws))('%s', async (_, [flaw, title]) => {
    const rule = memoRules.find((one) => one.title === title)!;
    await expect(rule.run(await open(flaw))).rejects.toThrow();
  });
});
