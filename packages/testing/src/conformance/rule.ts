import { PosthornError } from '@posthorn/core';

/** One thing an adapter promises, and the proof: `run` rejects where `subject` breaks it. */
export interface Rule<Subject> {
  readonly topic: string;
  /** The rule in plain English. */
  readonly title: string;
  run(subject: Subject): Promise<void>;
}

/** The functions of a test runner: those of vitest, node:test and jest fit as they are, mocha's `it` is its `test`. */
export interface Runner {
  describe(title: string, body: () => void): unknown;
  readonly test: {
    (title: string, body: () => Promise<void>): unknown;
    skip(title: string, body: () => Promise<void>): unknown;
  };
}

/** A topic, a title or `topic/title`, and the reason why it cannot hold here. */
export type Skips = Readonly<Record<string, string>>;

/** What every harness has: a runner, what is under test, and what is left out. */
export interface Harness<Subject> {
  readonly runner: Runner;
  /** Called once for each rule. */
  open(): Promise<Subject>;
  /** Rules that cannot hold here, with their reasons; these stand in the titles of the skipped tests. */
  readonly skip?: Skips;
}

/** The rules of one topic, from their titles and bodies. */
export function topic<Subject>(
  name: string,
  bodies: Readonly<Record<string, (subject: Subject) => Promise<void>>>,
): readonly Rule<Subject>[] {
  return Object.entries(bodies).map(([title, run]) => ({ topic: name, title, run }));
}

/**
 * Registers one test for each rule with the harness's runner, grouped by topic, each against a subject of its own
 * that is closed afterwards. Throws `invalid_option` where the harness lacks a part, or a skip names no rule or gives
 * no reason.
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

/** A skip whose rule was renamed would hide nothing, and nobody would notice that it is not needed any more. */
function checkSkips(rules: readonly Rule<never>[], skip: Skips): void {
  const names = new Set(rules.flatMap(namesOf));
  for (const [name, reason] of Object.entries(skip)) {
    if (!names.has(name)) {
      throw new PosthornError('invalid_option', `skip names no rule and no topic: ${name}`);
    }
    if (typeof reason !== 'string' || reason.trim() === '') {
      throw new PosthornError('invalid_option', `skip must give a reason for: ${name}`);
    }
  }
}
