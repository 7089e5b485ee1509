import { type Bug, bugsIn } from './bugs.js';

const push = 'journal.push({ part, method, args: structuredClone(args), at: now() });';
const lists: Readonly<Record<string, readonly string[]>> = {
  webhooks: ['create', 'update', 'delete'],
  deliveries: ['publish', 'claim', 'begin', 'renew', 'settle', 'backfill'],
  log: ['transition', 'prune'],
  documents: ['put', 'due'],
};

const textOf = (part: string, methods: readonly string[]): string =>
  `${part}: [${methods.map((method) => `'${method}'`).join(', ')}],`;

const forgotten = Object.entries(lists).flatMap(([part, methods]) =>
  methods.map((method): [string, readonly [string, string]] => [
    `${part}.${method} is not written down`,
    [
      textOf(part, methods),
      textOf(
        part,
        methods.filter((one) => one !== method),
      ),
    ],
  ]),
);

/** Writes other arguments of a call to the journal. */
const writing = (method: string, args: string): readonly [string, string] => [
  push,
  `journal.push({ part, method, args: structuredClone(method === '${method}' ? ${args} : args), at: now() });`,
];
const settlements = '(args[0] as Record<string, unknown>[])';

/** Bugs of the durable storage of the memory storage's tests. A rule about what outlives a process must catch each. */
export const durableBugs: readonly Bug[] = bugsIn('kept-storage.ts', {
  'nothing is written down': [push, ''],
  ...Object.fromEntries(forgotten),
  'a call is written down with the next one': [
    push,
    `const call = { part, method, args: structuredClone(args), at: now() };
        const buffer = ((journal as { buffer?: Call[] }).buffer ??= []);
        journal.push(...buffer.splice(0));
        buffer.push(call);`,
  ],
  'events are written down one after the other': [
    push,
    `if (method !== 'publish') ${push}
        else {
          for (const event of args[0] as unknown[]) {
            await new Promise((done) => setImmediate(done));
            journal.push({ part, method, args: structuredClone([[event]]), at: now() });
          }
        }`,
  ],
  'a result is written down without its attempt': writing(
    'settle',
    `[${settlements}.map(({ attempt: _, ...others }) => others)]`,
  ),
  'a result is written down without what it begins': writing(
    'settle',
    `[${settlements}.map(({ escalateTo: _, ...others }) => others)]`,
  ),
  'an event is written down without its key': writing(
    'publish',
    `[${settlements}.map(({ idempotencyKey: _, ...others }) => others)]`,
  ),
  'what happened happens when it is read': ['replayedAt = at;', ''],
  'the next process has only what the last one has added': [
    'for (const { part, method, args, at } of journal) {',
    'for (const { part, method, args, at } of journal.splice(0)) {',
  ],
});
