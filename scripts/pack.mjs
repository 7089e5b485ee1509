// Packs every built package as it would be published: `node scripts/pack.mjs <folder for the tarballs>`. Then installs
// them in <folder>/node_modules, with only the dependencies that they declare. With `--publish` it refuses to pack while
// the address of the repository is unset: `npm publish <tarball>` would publish packages without a source.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packageFolders, pnpm, root } from './install.mjs';
import { repositoryAddress, withAbsoluteLinks, withRepository } from './published.mjs';

const { values, positionals } = parseArgs({
  options: { publish: { type: 'boolean' } },
  allowPositionals: true,
});
const folder = resolve(positionals[0] ?? '');
const repository = repositoryAddress();
if (values.publish && !repository) {
  fail(
    'config.repository in package.json is empty: set it to the address of the repository before publishing',
  );
}
const packed = pnpm(['-r', '--filter', './packages/*', 'pack', '--pack-destination', folder]);
if (packed.status !== 0) fail(`${packed.stdout}${packed.stderr}`);

const sources = new Map();
for (const source of packageFolders()) {
  const {
    name,
    version,
    private: own,
  } = JSON.parse(readFileSync(join(root, source, 'package.json'), 'utf8'));
  if (!own) sources.set(`${name.replace('@', '').replace('/', '-')}-${version}.tgz`, { name, source });
}

for (const tarball of readdirSync(folder).filter((file) => file.endsWith('.tgz'))) {
  const { name, source } = sources.get(tarball) ?? fail(`${tarball} is not a package of this repository`);
  if (repository) link(join(folder, tarball), source);
  const home = join(folder, 'node_modules', name);
  mkdirSync(home, { recursive: true });
  tar('-xzf', join(folder, tarball), '--strip-components=1', '-C', home);

  const manifest = readFileSync(join(home, 'package.json'), 'utf8');
  const left = /"(?:workspace|catalog):|@posthorn\/source/.exec(manifest);
  if (left) fail(`${tarball} has ${left[0]} in its package.json, which works only in this repository`);
  if (!readdirSync(home).includes('LICENSE')) fail(`${tarball} has no LICENSE`);

  const { dependencies, peerDependencies } = JSON.parse(manifest);
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (dependency.startsWith('@posthorn/')) continue;
    const installed = join(home, 'node_modules', dependency);
    mkdirSync(dirname(installed), { recursive: true });
    symlinkSync(join(root, source, 'node_modules', dependency), installed, 'junction');
  }
}

/** Packs the tarball again with the address of the repository in its package.json and README. */
function link(tarball, source) {
  const unpacked = mkdtempSync(join(tmpdir(), 'posthorn-pack-'));
  tar('-xzf', tarball, '-C', unpacked);
  const edit = (file, change) => {
    const path = join(unpacked, 'package', file);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  };
  const manifestOf = (text) => withRepository(JSON.parse(text), source, repository);
  edit('package.json', (text) => `${JSON.stringify(manifestOf(text), null, 2)}\n`);
  edit('README.md', (text) => withAbsoluteLinks(text, source, repository));
  tar('-czf', tarball, '-C', unpacked, 'package');
  rmSync(unpacked, { recursive: true });
}

function tar(...args) {
  const { status, stderr } = spawnSync('tar', args, { encoding: 'utf8' });
  if (status !== 0) fail(`tar ${args.join(' ')} failed: ${stderr}`);
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
