import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import {
  type Runner,
  type Skips,
  type StorageUnderTest,
  storageConformance,
  storageRules,
} from '../src/index.js';

/** A runner that only records the tests. */
function noteTaker(): { runner: Runner; tests: Map<string, () => Promise<void>>; skipped: string[] } {
  const tests = new Map<string, () => Promise<void>>();
  const skipped: string[] = [];
  const path: string[] = [];
  const named = (title: string): string => [...path.slice(1), title].join('/');
  return {
    tests,
    skipped,
    runner: {
      describe(title, body) {
        path.push(title);
        body();
        path.pop();
      },
      test: Object.assign((title: string, body: () => Promise<void>) => void tests.set(named(title), body), {
        skip: (title: string) => void skipped.push(named(title)),
      }),
    },
  };
}

const open = (): Promise<StorageUnderTest> =>
  Promise.reject(new Error('nothing may be opened while registering'));

function registered(skip: Skips): { tests: string[]; skipped: string[] } {
  const { runner, tests, skipped } = noteTaker();
  storageConformance({ runner, open, skip });
  return { tests: [...tests.keys()], skipped };
}

const [rule] = storageRules;
const name = `${rule!.topic}/${rule!.title}`;

test('every rule is a test, grouped by its topic, and opens nothing before it runs', () => {
  expect(registered({})).toEqual({
    tests: storageRules.map(({ topic, title }) => `${topic}/${title}`),
    skipped: [],
  });
});

test('no two rules have the same topic and title', () => {
  expect(new Set(storageRules.map(({ topic, title }) => `${topic}/${title}`)).size).toBe(storageRules.length);
});

test.each([
  ['a title', rule!.title],
  ['a topic and a title', name],
])('%s skips one rule and shows why', (_, key) => {
  const { tests, skipped } = registered({ [key]: 'we count differently' });
  expect(skipped).toEqual([`${name} (skipped: we count differently)`]);
  expect(tests).not.toContain(name);
  expect(tests).toHaveLength(storageRules.length - 1);
});

test('a topic skips all of its rules', () => {
  const { tests, skipped } = registered({ transactions: 'there are none' });
  expect(skipped).toHaveLength(storageRules.filter(({ topic }) => topic === 'transactions').length);
  expect(tests.filter((one) => one.startsWith('transactions/'))).toEqual([]);
});

test('refuses a skip that matches no rule, and one without a reason', () => {
  expect(() => registered({ 'a rule of last year': 'why not' })).toThrow('a rule of last year');
  expect(() => registered({ constructor: 'why not' })).toThrow('constructor');
  expect(() => registered({ [name]: ' ' })).toThrow('reason');
});

test('closes what it opened, whether the rule holds or not', async () => {
  let closed = 0;
  const { runner, tests } = noteTaker();
  const nothing = new Proxy({}, { get: () => () => Promise.reject(new Error('out of order')) });
  storageConformance({
    runner,
    open: async () =>
      ({
        storage: { webhooks: nothing, deliveries: nothing, log: nothing },
        advance: async () => {},
        close: async () => void closed++,
      }) as unknown as StorageUnderTest,
  });
  await expect(tests.get(name)!()).rejects.toThrow('out of order');
  expect(closed).toBe(1);
});

test('a storage that refuses everything passes no rule', async () => {
  const refuse = () => Promise.reject(new Error('out of order'));
  const nothing = new Proxy({}, { get: () => refuse });
  const storage = { webhooks: nothing, deliveries: nothing, log: nothing };
  const passed: string[] = [];
  for (const one of storageRules) {
    await one.run({ storage, advance: async () => {} } as unknown as StorageUnderTest).then(
      () => passed.push(one.title),
      () => undefined,
    );
  }
  expect(passed).toEqual([]);
});

test('runs under node:test as under vitest', async () => {
  const file = fileURLToPath(new URL('./under-node-test.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--conditions=@posthorn/source',
    '--test',
    '--test-reporter=tap',
    file,
  ]);
  const skipped = storageRules.filter(({ topic }) => topic === 'transactions' || topic === 'second').length;
  expect(stdout).toContain(`# pass ${storageRules.length - skipped}`);
  expect(stdout).toContain(`# skipped ${skipped}`);
  expect(stdout).toContain('# fail 0');
});
