// Uses the packages installed by pack.mjs as an application would. `node scripts/consume.mjs <folder>` loads each by
// `require` and by `import`, and compiles a program against their types without `skipLibCheck`, so that a type which is
// missing from a package is found here and not by its users.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { root, tool } from './install.mjs';
import { node } from './spawn.mjs';

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
  module: 'NodeNext',
  strict: true,
  skipLibCheck: false,
  noEmit: true,
};
write('package.json', JSON.stringify({ type: 'module' }));
write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['program.ts'] }));
write('program.ts', program.join(''));
mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), 'junction');

// npm and pnpm set NODE_PATH, which would make the repository's modules visible.
const env = { NODE_PATH: '', NODE_OPTIONS: '' };

const load = packages.map(({ name }) => `require('${name}'); import('${name}');`);
const loaded = await node(['-e', load.join(' ')], { cwd: folder, env });
if (loaded.code !== 0) fail(loaded.output);

const compiled = await node([tool('typescript', 'tsc'), '-p', folder], { cwd: folder, env });
// Errors in the types of dependencies are ignored.
const ours = compiled.output
  .split('\n')
  .filter((line) => /^(?:program\.ts|node_modules\/@posthorn\/[^/]+\/dist\/)/.test(line));
if (ours.length > 0) fail(ours.join('\n'));

function fail(output) {
  console.error(output);
  process.exitCode = 1;
}

function write(file, text) {
  writeFileSync(join(folder, file), text);
}
