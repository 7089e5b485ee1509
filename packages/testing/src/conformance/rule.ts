import { PosthornError } from '@posthorn/core';

/** One promise of an adapter, and its test: `run` rejects where `subject` breaks the promise. */
export interface Rule<Subject> {
  readonly topic: string;
  /** The rule as a sentence. */
  readonly title: string;
  run(subject: Subject): Promise<void>;
}

/**
 * The functions of a test runner. Those of vitest, node:test and jest fit as they are; with mocha, pass `it` as `test`.
 */
export interface Runner {
  describe(title: string, body: () => void): unknown;
  readonly test: {
    (title: string, body: () => Promise<void>): unknown;
    skip(title: string, body: () => Promise<void>): unknown;
  };
}

/** Maps a topic, a title or `topic/title` to the reason for skipping it. */
export type Skips = Readonly<Record<string, string>>;

/** The common part of every harness: the runner, the subject, and the skips. */
export interface Harness<Subject> {
  readonly runner: Runner;
  /** Called once for each rule. */
  open(): Promise<Subject>;
  /** The rules to skip, with reasons. The reasons appear in the titles of the skipped tests. */
  readonly skip?: Skips;
}

/** Creates the rules of one topic from their titles and bodies. */
export function topic<Subject>(
  name: string,
  bodies: Readonly<Record<string, (subject: Subject) => Promise<void>>>,
): readonly Rule<Subject>[] {
  return Object.entries(bodies).map(([title, run]) => ({ topic: name, title, run }));
}

/**
 * Registers one test for each rule with the harness's runner, grouped by topic. Each test opens its own subject and
 * closes it afterwards. Throws `invalid_option` where a part of the harness is missing, or where a skip matches no rule
 * or has no reason.
 */
export function register<Subject extends { close?(): Promise<void> }>(
  name: string,
  rules: readonly Rule<Subject>[],
  { runner, open, skip = {} }: Harness<Subject>,
): void {
  if (
    typeof open !== 'function' ||
    typeof runner?.describe !== 'function' ||
    typeof runner.test !== 'function'
  ) {
    throw new PosthornError(
      'invalid_option',
      'the harness must have open() and a runner with describe() and test()',
    );
  }
  checkSkips(rules, skip);
  runner.describe(name, () => {
    for (const [topicName, rulesOfTopic] of byTopic(rules)) {
      runner.describe(topicName, () => {
        for (const rule of rulesOfTopic) {
          const reason = reasonToSkip(rule, skip);
          if (reason === undefined) runner.test(rule.title, () => prove(rule, open));
          else runner.test.skip(`${rule.title} (skipped: ${reason})`, () => prove(rule, open));
        }
      });
    }
  });
}

async function prove<Subject extends { close?(): Promise<void> }>(
  rule: Rule<Subject>,
  open: () => Promise<Subject>,
): Promise<void> {
  const subject = await open();
  try {
    await rule.run(subject);
  } finally {
    await subject.close?.();
  }
}

function byTopic<Subject>(rules: readonly Rule<Subject>[]): Map<string, Rule<Subject>[]> {
  const topics = new Map<string, Rule<Subject>[]>();
  for (const rule of rules) topics.set(rule.topic, [...(topics.get(rule.topic) ?? []), rule]);
  return topics;
}

const namesOf = ({ topic, title }: Rule<never>): string[] => [`${topic}/${title}`, title, topic];

function reasonToSkip(rule: Rule<never>, skip: Skips): string | undefined {
  const name = namesOf(rule).find((one) => Object.hasOwn(skip, one));
  return name === undefined ? undefined : skip[name];
}

/** A skip that matches no rule, because the rule was renamed or removed, would stay unnoticed. */
function checkSkips(rules: readonly Rule<never>[], skip: Skips): void {
  const names = new Set(rules.flatMap(namesOf));
  for (const [name, reason] of Object.entries(skip)) {
    if (!names.has(name)) {
      throw new PosthornError('invalid_option', `skip matches no rule and no topic: ${name}`);
    }
    if (typeof reason !== 'string' || reason.trim() === '') {
      throw new PosthornError('invalid_option', `skip must give a reason for: ${name}`);
    }
  }
}
