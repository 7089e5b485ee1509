import type { Channel } from '@posthorn/core';
import { delivered, failed, rateLimited, rejected } from '@posthorn/core/channel';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  type CheckpointUnderTest,
  checkpointConformance,
  checkpointRules,
  type RecipientAnswer,
} from '../src/index.js';

interface Configs {
  readonly names: readonly string[];
}

/** What a channel remembers of each name: whether it has the message. */
type Checkpoint = Readonly<Record<string, boolean>>;

/** The parts of a channel that a flaw may replace. */
interface Ways {
  /** Returns the recipients to ask, by the checkpoint. */
  left(names: readonly string[], checkpoint: Checkpoint): readonly string[];
  read(checkpoint: string | undefined): Checkpoint;
  /** Returns the checkpoint for the next attempt. */
  write(before: Checkpoint, now: Checkpoint): string | undefined;
  verdict(all: Checkpoint): 'delivered' | 'rejected';
  /** Whether the attempt has failed, with this many recipients that failed temporarily. */
  isFailed(failing: number): boolean;
  /** Returns the checkpoint where the service has reached its limit. */
  writeAtLimit(before: Checkpoint, now: Checkpoint): string | undefined;
}

const sound: Ways = {
  left: (names, checkpoint) => names.filter((name) => !Object.hasOwn(checkpoint, name)),
  read(checkpoint) {
    try {
      return z.record(z.string(), z.boolean()).parse(JSON.parse(checkpoint ?? '{}'));
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
async function open(flaw: Partial<Ways> = {}): Promise<CheckpointUnderTest<Configs>> {
  const ways = { ...sound, ...flaw };
  const answers = new Map<string, RecipientAnswer>();
  const asked: string[] = [];
  const channel: Channel<Configs> = {
    type: 'names',
    config: z.strictObject({ names: z.array(z.string()) }),
    async send({ checkpoint, configs }) {
      const before = ways.read(checkpoint);
      const now: Record<string, boolean> = {};
      let failing = 0;
      for (const name of ways.left(configs.names, before)) {
        asked.push(name);
        const answer = answers.get(name) ?? 'takes';
        if (answer === 'rate_limited') {
          const checkpoint = ways.writeAtLimit(before, now);
          return rateLimited(1_000, 'too many', checkpoint === undefined ? {} : { checkpoint });
        }
        if (answer === 'failsForNow') failing++;
        else now[name] = answer === 'takes';
      }
      const next = ways.write(before, now);
      if (ways.isFailed(failing)) {
        return failed('refused', `${failing} not now`, next === undefined ? {} : { checkpoint: next });
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

checkpointConformance({ runner: { describe, test }, open: () => open() });

/** The memory of the whole process, for the flaw that needs no checkpoint. */
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
    'a second attempt with the checkpoint of the first skips the recipients that have the message',
  ],
  'remembers the last attempt only': [
    { write: (_, now) => JSON.stringify(now) },
    'a checkpoint is carried over many attempts',
  ],
  'forgets at a limit': [
    { writeAtLimit: () => undefined },
    'a limit that is met half way leaves a checkpoint, too',
  ],
  'remembers more than is kept': [
    { write: (before, now) => JSON.stringify({ ...before, ...now }).padEnd(16 * 1024 + 1) },
    'a checkpoint is a string of at most 16 Ki characters: a longer one is not kept',
  ],
  'asks again who has refused': [
    { left: (names, checkpoint) => names.filter((name) => checkpoint[name] !== true) },
    'a recipient that refused for good is not asked again',
  ],
  'reports it as delivered when no recipient has it': [
    { verdict: () => 'delivered' },
    'it is rejected when all have refused, in one attempt or over several',
  ],
  'fails on an unreadable checkpoint': [
    { read: (checkpoint) => JSON.parse(checkpoint ?? '{}') },
    'an unreadable checkpoint leaves out no recipient',
  ],
  'remembers in its process': [
    { read: () => remembered, write: (_, now) => void Object.assign(remembered, now) },
    'the checkpoint of one delivery does not affect another',
  ],
};

describe('the checkpoint suite notices a channel that', () => {
  test.each(Object.entries(flaws))('%s', async (_, [flaw, title]) => {
    const rule = checkpointRules.find((one) => one.title === title)!;
    await expect(rule.run(await open(flaw))).rejects.toThrow();
  });
});
