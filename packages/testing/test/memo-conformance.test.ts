import { busy, type Channel, delivered, failed, rejected } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type MemoUnderTest, memoConformance, memoRules, type RecipientAnswer } from '../src/index.js';

interface Configs {
  readonly names: readonly string[];
}

/** What a channel remembers of each name: whether it has the message. */
type Memo = Readonly<Record<string, boolean>>;

/** Parts of a channel that a flaw may take the place of. */
interface Ways {
  /** Whom an attempt asks, by what is remembered. */
  left(names: readonly string[], memo: Memo): readonly string[];
  read(memo: string | undefined): Memo;
  /** What is remembered for the next attempt. */
  write(before: Memo, now: Memo): string | undefined;
  verdict(all: Memo): 'delivered' | 'rejected';
  /** Whether it has failed, with so many who fail for now. */
  isFailed(failing: number): boolean;
  /** What is remembered where the service has met its limit. */
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

/** A channel to names in memory that keeps every promise, except for its `flaw`. */
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
        : rejected('refused', 'nobody takes it');
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

/** What the whole process remembers, in the flaw that needs no memo. */
const remembered: Record<string, boolean> = {};

/** One broken promise each, and the rule that must notice. */
const flaws: Readonly<Record<string, [Partial<Ways>, string]>> = {
  'asks only the first': [
    { left: ([first]) => [first!] },
    'all are asked once, and when all have it, it is delivered',
  ],
  'is content when anybody has it': [{ isFailed: () => false }, 'while one fails for now, it has failed'],
  'remembers nothing': [
    { write: () => undefined },
    'a second attempt with the memo of the first does not reach again whoever has it',
  ],
  'remembers the last attempt only': [
    { write: (_, now) => JSON.stringify(now) },
    'what was remembered is remembered over many attempts',
  ],
  'forgets at a limit': [
    { writeAtLimit: () => undefined },
    'a limit that is met half way leaves a memo, too',
  ],
  'remembers more than is kept': [
    { write: (before, now) => JSON.stringify({ ...before, ...now }).padEnd(16 * 1024 + 1) },
    'a memo is text of 16 Ki characters at most: a longer one is not kept',
  ],
  'asks again who has refused': [
    { left: (names, memo) => names.filter((name) => memo[name] !== true) },
    'who refused it for good is not asked again',
  ],
  'calls it delivered when nobody has it': [
    { verdict: () => 'delivered' },
    'all refusing is a rejection, at once or one after the other',
  ],
  'stumbles over a memo': [
    { read: (memo) => JSON.parse(memo ?? '{}') },
    'a memo that nobody can read leaves nobody out',
  ],
  'remembers in its process': [
    { read: () => remembered, write: (_, now) => void Object.assign(remembered, now) },
    'the memo of one delivery is none of another',
  ],
};

describe('the memo suite notices a channel that', () => {
  test.each(Object.entries(flaws))('%s', async (_, [flaw, title]) => {
    const rule = memoRules.find((one) => one.title === title)!;
    await expect(rule.run(await open(flaw))).rejects.toThrow();
  });
});
