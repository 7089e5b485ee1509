import { type Rule, rule } from './rule.js';

/** Words of a dialect that the code once had: each hides its subject, or a term that readers search for. */
const words: readonly (readonly [RegExp, string])[] = [
  [
    // The user of that name is not meant.
    /(?<!'-u', ')\b(?:nobody|anybody|somebody|whoever)\b/i,
    'name who acts: the worker, the receiver, the caller, no process',
  ],
  [/\bsaid\b/, 'use the noun: verdict, response, report, message'],
  [/\btells? of\b/i, 'write "reports"'],
  [/\bin vain\b/i, 'write what fails'],
  [/\bso many\b/i, 'write "up to N", or the number'],
  [/\bfor ever\b/i, 'write "indefinitely", or until when'],
  [/\bcomes to nothing\b/i, 'write what fails'],
];

/** Migrations are never edited, generated files follow their sources, and a licence is as it is. */
const exempt =
  /(?:^|\/)(?:migrations\/.*\.sql|migrations\.ts|LICENSE|pnpm-lock\.yaml)$|^test\/prose\.test\.ts$/;

const plainWords: Rule = (files) =>
  files
    .filter(({ path }) => !exempt.test(path) && /\.(?:ts|mts|mjs|md|sql|ya?ml|json)$/.test(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, i) =>
          words
            .filter(([word]) => word.test(line))
            .map(([word, remedy]) => `${path}:${i + 1}: has ${word.exec(line)![0]}: ${remedy}`),
        ),
    );

rule('prose and identifiers are plain English', plainWords, {
  'docs/riddle.md': 'It tells of a delivery that nobody wants.',
  'packages/core/src/dialect.ts': 'const said = await send(message);',
  'packages/core/test/dialect.test.ts': "test('waits in vain for ever', () => {});",
});
