// Uses the packages installed by pack.mjs as an application would. `node scripts/consume.mjs <folder>` loads each by
// `require` and by `import`, and compiles a program against their types, in each way that applications compile, without
// `skipLibCheck`, so that a type which is missing from a package is found here and not by its users.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { root, tool } from './install.mjs';
import { node, nodes } from './spawn.mjs';

const folder = resolve(process.argv[2] ?? '');
const packages = readdirSync(join(folder, 'node_modules/@posthorn')).map((name) => {
  const manifest = readFileSync(join(folder, 'node_modules/@posthorn', name, 'package.json'), 'utf8');
  return { name: `@posthorn/${name}`, doors: Object.keys(JSON.parse(manifest).exports) };
});

const doors = packages.flatMap(({ name, doors }) => doors.map((door) => posix.join(name, door)));
const program = doors.map((door, at) => `import type * as p${at} from '${door}';\nexport type { p${at} };\n`);
const compilerOptions = {
  target: 'ES2023',
  lib: ['ES2023'],
  types: ['node'],
  strict: true,
  skipLibCheck: false,
  noEmit: true,
};
/** How applications compile: as ESM, as CommonJS, for a bundler, and as older projects do, which ignore `exports`. */
const modes = [
  { module: 'NodeNext', file: 'program.mts' },
  { module: 'Node16', file: 'program.cts' },
  { module: 'Preserve', file: 'program.ts' },
  { module: 'CommonJS', file: 'program.ts' },
];
for (const file of new Set(modes.map(({ file }) => file))) write(file, program.join(''));
mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), 'junction');

// npm and pnpm set NODE_PATH, which would make the repository's modules visible.
const env = { NODE_PATH: '', NODE_OPTIONS: '' };

// Jest cannot require ESM, and neither can Node with this flag.
const load = packages.map(({ name }) => `require('${name}'); import('${name}');`);
const loaded = await node(['--no-experimental-require-module', '-e', load.join(' ')], { cwd: folder, env });
if (loaded.code !== 0) fail(loaded.output);

const projects = modes.map(({ file, ...mode }, at) => {
  write(
    `tsconfig.${at}.json`,
    JSON.stringify({ compilerOptions: { ...compilerOptions, ...mode }, include: [file] }),
  );
  return `tsconfig.${at}.json`;
});
const compiled = await nodes(
  projects.map((project) => [[tool('typescript', 'tsc'), '-p', project], { cwd: folder, env }]),
);
for (const [at, { output }] of compiled.entries()) {
  // Errors in the types of dependencies are ignored.
  const ours = output
    .split('\n')
    .filter((line) => /^(?:program\.|error|tsconfig|node_modules\/@posthorn\/[^/]+\/dist\/)/.test(line));
  if (ours.length > 0) fail(`${JSON.stringify(modes[at])}\n${ours.join('\n')}`);
}

function fail(output) {
  console.error(output);
  process.exitCode = 1;
}

function write(file, text) {
  writeFileSync(join(folder, file), text);
}
