import { readFileSync } from 'node:fs';
import ts from 'typescript';

/*
 * The ways in which applications load the packages. Each has files, tools that npm installs, and commands that `node` runs
 * one after the other; `@bin/` is the command of a tool. The short form tries those in which only CommonJS works.
 */

/** Not a module of this repository: it imports the packed packages. */
const esm = readFileSync(new URL('deliver.mjs.txt', import.meta.url), 'utf8');
const commonjs = ts.transpileModule(esm, {
  compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023 },
}).outputText;

const { devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const typescript = { typescript: devDependencies.typescript.replace('~', '') };
const jest = { jest: '30.5.2' };
const esbuild = { esbuild: '0.28.2' };

const run = `require('./deliver.cjs').deliver();\n`;
const jestTest = `const { deliver } = require('./deliver');\ntest('delivers', () => deliver());\n`;
const type = (type, more = {}) => ({ 'package.json': JSON.stringify({ type, ...more }) });
const jestPackage = (jest) => type('commonjs', { jest });
/** Required code must be CommonJS throughout: Node could load ESM otherwise. */
const onlyCommonJs = '--no-experimental-require-module';

/** Compiles the program and its types as CommonJS and runs it. */
const compiled = (options) => ({
  files: {
    ...type('commonjs'),
    'deliver.ts': esm,
    'main.ts': `import { deliver } from './deliver';\ndeliver();\n`,
    'tsconfig.json': JSON.stringify({
      compilerOptions: { target: 'ES2023', outDir: 'out', types: ['node'], skipLibCheck: true, ...options },
      include: ['*.ts'],
    }),
  },
  tools: { ...typescript, '@types/node': devDependencies['@types/node'] },
  commands: [
    ['@bin/typescript:tsc', '-p', '.'],
    [onlyCommonJs, 'out/main.js'],
  ],
  build: 'CommonJS',
  isShort: true,
});

/** What a bundler makes of the program must run where no package is installed. */
const aside = (format) => [
  '--input-type=commonjs',
  '-e',
  `const fs = require('node:fs'), path = require('node:path');
  const home = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'posthorn-bundle-'));
  const file = path.join(home, 'bundle.${format}');
  fs.copyFileSync('out/bundle.${format}', file);
  const { status } = require('node:child_process').spawnSync(process.execPath, [file], { stdio: 'inherit' });
  fs.rmSync(home, { recursive: true });
  process.exitCode = status;`,
];
const bundled = {
  ...type('module'),
  'deliver.mjs': esm,
  'main.mjs': `import { deliver } from './deliver.mjs';\ndeliver();\n`,
};

/** undici is CommonJS and requires modules of Node, and a bundle that is ESM has no \`require\`. */
const banner = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

export const consumers = [
  {
    name: 'Node, ESM',
    files: { 'deliver.mjs': esm, 'main.mjs': `import { deliver } from './deliver.mjs';\nawait deliver();\n` },
    tools: {},
    commands: [['main.mjs']],
    build: 'ESM',
  },
  {
    name: 'Node, CommonJS',
    files: { 'deliver.cjs': commonjs, 'main.cjs': run },
    tools: {},
    commands: [[onlyCommonJs, 'main.cjs']],
    build: 'CommonJS',
    isShort: true,
  },
  { name: 'TypeScript, `module: commonjs`', ...compiled({ module: 'CommonJS', esModuleInterop: true }) },
  { name: 'TypeScript, `module: node16`', ...compiled({ module: 'Node16' }) },
  {
    name: 'Jest, CommonJS',
    files: { ...jestPackage({ transform: {} }), 'deliver.js': commonjs, 'deliver.test.js': jestTest },
    tools: jest,
    commands: [['@bin/jest']],
    build: 'CommonJS',
    isShort: true,
  },
  {
    name: 'ts-jest, as in Nest',
    files: {
      ...jestPackage({ transform: { '\\.ts$': 'ts-jest' } }),
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          module: 'commonjs',
          target: 'ES2023',
          emitDecoratorMetadata: true,
          experimentalDecorators: true,
          allowSyntheticDefaultImports: true,
          types: ['node', 'jest'],
          skipLibCheck: true,
        },
      }),
      'deliver.ts': esm,
      'deliver.test.ts': `import type { Dispatcher } from '@posthorn/core';
import { deliver } from './deliver';

const injectable = (target: object) => target as any;
@injectable
class Orders {
  constructor(readonly posthorn: Dispatcher) {}
}

test('delivers', async () => {
  expect(Orders).toBeDefined();
  await deliver();
});
`,
    },
    tools: {
      ...jest,
      ...typescript,
      'ts-jest': '29.4.15',
      '@types/jest': '30.0.0',
      '@types/node': devDependencies['@types/node'],
    },
    commands: [['@bin/jest']],
    build: 'CommonJS',
  },
  {
    name: '@swc/jest',
    files: {
      ...jestPackage({ transform: { '\\.m?js$': '@swc/jest' } }),
      'deliver.js': esm,
      'deliver.test.js': `import { deliver } from './deliver';\n\ntest('delivers', () => deliver());\n`,
    },
    tools: { ...jest, '@swc/jest': '0.2.39', '@swc/core': '1.16.22' },
    commands: [['@bin/jest']],
    build: 'CommonJS',
  },
  {
    name: 'node:test',
    files: {
      'deliver.mjs': esm,
      'deliver.test.mjs': `import { test } from 'node:test';\nimport { deliver } from './deliver.mjs';\n\ntest('delivers', () => deliver());\n`,
    },
    tools: {},
    commands: [['--test', 'deliver.test.mjs']],
    build: 'ESM',
  },
  {
    name: 'Vitest',
    files: {
      ...type('module'),
      'deliver.mjs': esm,
      'deliver.test.mjs': `import { test } from 'vitest';\nimport { deliver } from './deliver.mjs';\n\ntest('delivers', () => deliver());\n`,
    },
    tools: { vitest: devDependencies.vitest, vite: devDependencies.vite },
    commands: [['@bin/vitest', 'run']],
    build: 'ESM',
  },
  {
    name: 'esbuild, one CommonJS file',
    files: bundled,
    tools: esbuild,
    commands: [
      [
        '--input-type=commonjs',
        '-e',
        `require('esbuild').buildSync({ entryPoints: ['main.mjs'], bundle: true, platform: 'node', outfile: 'out/bundle.cjs' })`,
      ],
      aside('cjs'),
    ],
    build: 'ESM',
  },
  {
    name: 'esbuild, one ESM file',
    files: bundled,
    tools: esbuild,
    commands: [
      [
        '--input-type=commonjs',
        '-e',
        `require('esbuild').buildSync({ entryPoints: ['main.mjs'], bundle: true, platform: 'node', format: 'esm',
          outfile: 'out/bundle.mjs', banner: { js: ${JSON.stringify(banner)} } })`,
      ],
      aside('mjs'),
    ],
    build: 'ESM',
  },
  {
    name: 'webpack',
    files: bundled,
    tools: { webpack: '5.113.0' },
    commands: [
      [
        '--input-type=commonjs',
        '-e',
        `require('webpack')({ mode: 'production', target: 'node', entry: './main.mjs',
          output: { path: process.cwd() + '/out', filename: 'bundle.cjs' } }, (error, stats) => {
          if (error ?? stats.hasErrors()) throw error ?? new Error(stats.toString());
        })`,
      ],
      aside('cjs'),
    ],
    build: 'ESM',
  },
  {
    name: 'Vite, SSR build',
    files: {
      ...bundled,
      'vite.config.mjs': `export default {
  ssr: { noExternal: true },
  build: { ssr: 'main.mjs', outDir: 'out', rolldownOptions: { output: { entryFileNames: 'bundle.mjs' } } },
};\n`,
    },
    tools: { vite: devDependencies.vite },
    commands: [['@bin/vite', 'build'], aside('mjs')],
    build: 'ESM',
  },
];
