import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { type File, repository, root } from './files.js';
import { type Rule, rule } from './rule.js';

interface Block {
  /** The language after the fence: `ts`, `text`, or empty. */
  readonly language: string;
  readonly lines: readonly string[];
  /** The index of its first line of code, from 0. */
  readonly at: number;
}

const isPage = ({ path }: File): boolean => path.endsWith('.md');

function blocksOf({ text }: File): Block[] {
  const blocks: { language: string; lines: string[]; at: number }[] = [];
  let fence: string | undefined;
  for (const [at, line] of text.split('\n').entries()) {
    const [, mark, language] = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (fence === undefined && mark) {
      fence = mark;
      blocks.push({ language: language!.trim(), lines: [], at: at + 1 });
    } else if (fence !== undefined && mark?.startsWith(fence) && language?.trim() === '') {
      fence = undefined;
    } else if (fence !== undefined) {
      blocks.at(-1)!.lines.push(line);
    }
  }
  return blocks;
}

/**
 * The programs of a page, as modules with the line numbers of the page. A block without an import continues the program
 * of the block before it; a block with an import begins a new one.
 */
function programsOf(page: File): File[] {
  const programs: string[][] = [];
  for (const { language, lines, at } of blocksOf(page)) {
    if (language !== 'ts') continue;
    if (programs.length === 0 || lines.some((line) => line.startsWith('import '))) programs.push([]);
    const program = programs.at(-1)!;
    while (program.length < at) program.push('');
    program.push(...lines);
  }
  return programs.map((lines, at) => ({ path: `${page.path}.${at}.ts`, text: lines.join('\n') }));
}

/** Source files are parsed once and shared by all programs. */
const parsed = new Map<string, ts.SourceFile | undefined>();

const blocksCompile: Rule = (files) => {
  const programs = new Map(
    files
      .filter(isPage)
      .flatMap(programsOf)
      .map((file) => [posix.join(toPosix(root), file.path), file]),
  );
  // A page may import what its own folder can, or else what any package or example can.
  const homes = files
    .filter(({ path }) => posix.basename(path) === 'package.json')
    .map(({ path }) => join(root, posix.dirname(path), 'page.ts'));

  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const options: ts.CompilerOptions = {
    ...ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options,
    // A page need not use everything that it declares.
    noUnusedLocals: false,
    noUnusedParameters: false,
    moduleDetection: ts.ModuleDetectionKind.Force,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => programs.has(name) || fileExists(name);
  host.getSourceFile = (name, how) => {
    const program = programs.get(name);
    if (program) return ts.createSourceFile(name, program.text, how);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, how));
    return parsed.get(name);
  };
  const cache = ts.createModuleResolutionCache(root, (name) => name, options);
  host.resolveModuleNameLiterals = (literals, from, _redirected, _options, file) =>
    literals.map((literal) => {
      const mode = ts.getModeForUsageLocation(file, literal, options);
      const look = (home: string) =>
        ts.resolveModuleName(literal.text, home, options, host, cache, undefined, mode);
      const isBare = programs.has(from) && !literal.text.startsWith('.');
      return [from, ...(isBare ? homes : [])].map(look).find((found) => found.resolvedModule) ?? look(from);
    });

  const program = ts.createProgram([...programs.keys()], options, host);
  return [...programs].flatMap(([name, { path }]) => {
    const file = program.getSourceFile(name)!;
    const page = path.replace(/\.\d+\.ts$/, '');
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      (fault) => {
        const { line } = file.getLineAndCharacterOfPosition(fault.start ?? 0);
        return `${page}:${line + 1}: ${ts.flattenDiagnosticMessageText(fault.messageText, ' ')}`;
      },
    );
  });
};

const nothingEscapes: Rule = (files) =>
  files.filter(isPage).flatMap((page) =>
    blocksOf(page)
      .filter(({ language }) => /^(?:ts|typescript|tsx)\b/.test(language) && language !== 'ts')
      .map(({ language, at }) => `${page.path}:${at}: has the language ${language}; use ts or text`),
  );

const linksLead: Rule = (files) =>
  files.filter(isPage).flatMap((page) => {
    const blocks = blocksOf(page);
    const inBlock = (at: number) =>
      blocks.some((block) => at >= block.at && at < block.at + block.lines.length);
    return page.text
      .split('\n')
      .flatMap((line, at) =>
        (inBlock(at) ? [] : targetsOf(line))
          .filter((target) => !existsSync(join(root, posix.dirname(page.path), target)))
          .map((target) => `${page.path}:${at + 1}: links to ${target}, which does not exist`),
      );
  });

/** `[guard](../test/guard.test.ts): “a rule”` cites a test by its title; the file must contain that title. */
const citedTestsExist: Rule = (files) =>
  files.filter(isPage).flatMap((page) =>
    [...page.text.matchAll(/\]\(([^)#\s]+)\): “([^”]+)”/g)]
      .filter(([, path, title]) => {
        const cited = join(root, posix.dirname(page.path), path!);
        return !existsSync(cited) || !readFileSync(cited, 'utf8').replaceAll("\\'", "'").includes(title!);
      })
      .map(([, path, title]) => `${page.path}: no test of ${path} is called “${title}”`),
  );

/** Guides whose first block is the exact text of a tested file of the repository. */
const shown: Readonly<Record<string, string>> = {
  'docs/writing-a-channel.md': 'examples/custom-channel/src/ntfy-channel.ts',
  'docs/writing-a-storage.md': 'examples/custom-storage/src/file-kv.ts',
};

const shownFilesMatch: Rule = (files) =>
  Object.entries(shown).flatMap(([path, target]) => {
    const page = files.find((file) => file.path === path);
    const file = files.find((file) => file.path === target);
    const block = page && blocksOf(page)[0]?.lines.join('\n').trim();
    return block && block === file?.text.trim() ? [] : [`${path}: its first block is not ${target}`];
  });

/** The guide's table must name every method that the engine requires of a storage. */
const storageGuideIsWhole: Rule = (files) => {
  const path = 'docs/writing-a-storage.md';
  const textOf = (name: string) => files.find((file) => file.path === name)?.text ?? '';
  const [asked = ''] =
    /const methods[^=]*= \[[\s\S]*?\n\];/.exec(textOf('packages/core/src/storage/checked-storage.ts')) ?? [];
  const lines = textOf(path).split('\n');
  return [...asked.matchAll(/\['(\w+)', \[(.*?)\]/g)].flatMap(([, part, methods]) => {
    const row = lines.find((line) => line.startsWith(`| \`${part}\` `)) ?? '';
    const names = [...methods!.matchAll(/\w+/g)].map(([name]) => name);
    return names
      .filter((name) => !row.includes(`\`${name}\``))
      .map((name) => `${path}: its table does not name ${part}.${name}`);
  });
};

/**
 * The files that a line of Markdown links to, by `[text](path#part)`, `[text]: path` or `src="path"`, without other
 * sites.
 */
function targetsOf(line: string): string[] {
  const links = /\]\(\s*<?([^)>\s]+)|^\s*\[[^\]]+\]:\s*(\S+)|\b(?:href|src|srcset)="([^"\s]+)"/g;
  return [...line.replace(/`[^`]*`/g, '').matchAll(links)]
    .map(([, inline, reference, attribute]) =>
      decodeURI((inline ?? reference ?? attribute ?? '').split('#')[0]!),
    )
    .filter((target) => target !== '' && !/^(?:[a-z][a-z+.-]*:|\/\/)/i.test(target));
}

function toPosix(path: string): string {
  return path.replaceAll('\\', '/');
}

const block = (code: string, language = 'ts') => `# A page\n\n\`\`\`${language}\n${code}\n\`\`\`\n`;

rule('every ts block of the docs compiles', blocksCompile, {
  'README.md': block(`import { noSuchThing } from '@posthorn/core';`),
  'docs/wrong-type.md': block(`import { matches } from '@posthorn/core';\nmatches(5);`),
  'docs/wrong-later.md': block(`const keys: string[] = [];`) + block('keys.push(5);'),
  'packages/core/README.md': block('const half = ;'),
});

rule(
  'TypeScript blocks of the docs have the language ts and nothing else, so that none is skipped',
  nothingEscapes,
  {
    'docs/ignored.md': block('nonsense', 'ts ignore'),
    'docs/long.md': block('nonsense', 'typescript'),
  },
);

rule('a guide that shows a tested file shows its exact text', shownFilesMatch, {
  'docs/writing-a-channel.md': block(`export const anything = 'else';`),
});

rule('the guide to storages names every method that the engine requires', storageGuideIsWhole, {
  'docs/writing-a-storage.md': '| `deliveries` | `publish` `claim` `renew` `settle` |',
});

rule('relative links in the docs lead to files', linksLead, {
  'README.md': 'See [the guarantees](docs/no-such-page.md#first).',
  'docs/image.md': '![a picture](./no-such-picture.png)',
  'docs/picture.md': '<source media="(prefers-color-scheme: dark)" srcset="images/no-such-picture.png">',
  'docs/reference.md': '[guide]: ../no-such-guide.md',
});

/** A label such as `decide.ts` outlives the renaming of its file, as only the target breaks. */
const labelsFit: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\[`?([\w-]+\.(?:ts|mjs|sql))`?\]\(([^)#\s]+)/g)]
        .filter(([, label, target]) => label !== posix.basename(target!))
        .map(([, label, target]) => `${path}: a link to ${target} is labelled ${label}`),
    );

rule('a link that is labelled with the name of a file leads to that file', labelsFit, {
  'docs/label.md': '[decide.ts](../packages/core/src/delivery/retry-policy.ts)',
});

rule('tests that the docs cite by title exist', citedTestsExist, {
  'docs/promise.md': '[habits](../test/habits.test.ts): “a test that does not exist” stands behind it.',
  'docs/moved.md': '[docs](../test/gone.test.ts): “a page may import what any package may”',
});

test('a page may import what any package may, and a block continues the one before it', () => {
  const text = [
    `import { createDispatcher } from '@posthorn/core';\nimport { memoryStorage } from '@posthorn/storage-memory';`,
    `const dispatcher = createDispatcher({ storage: memoryStorage(), channels: [] });`,
    `await dispatcher.start();`,
    `import { createDispatcher } from '@posthorn/core';\nimport { z } from 'zod';\nconst dispatcher = z.string();`,
  ];
  const page = { path: 'docs/good.md', text: text.map((code) => block(code)).join('\n') };
  expect(programsOf(page)).toHaveLength(2);
  const others = repository().filter((file) => !isPage(file));
  expect(blocksCompile([...others, page])).toEqual([]);
});
