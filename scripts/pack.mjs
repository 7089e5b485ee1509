// Packs every built package as it would be published: `node scripts/pack.mjs <folder for the tarballs>`. Then installs
// them in <folder>/node_modules, with only the dependencies that they declare.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { packageFolders, pnpm, root } from './install.mjs';

const folder = resolve(process.argv[2] ?? '');
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
  const home = join(folder, 'node_modules', name);
  mkdirSync(home, { recursive: true });
  const unpacked = spawnSync('tar', ['-xzf', join(folder, tarball), '--strip-components=1', '-C', home]);
  if (unpacked.status !== 0) fail(`tar cannot read ${tarball}: ${unpacked.stderr}`);

  const manifest = readFileSync(join(home, 'package.json'), 'utf8');
  const left = /"(?:workspace|catalog):|@posthorn\/source/.exec(manifest);
  if (left) fail(`${tarball} has ${left[0]} in its package.json, which works only in this repository`);
  if (!readdirSync(home).includes('LICENSE')) fail(`${tarball} has no LICENSE`);

  const { dependencies, peerDependencies } = JSON.parse(manifest);
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (dependency.startsWith('@posthorn/')) continue;
    const link = join(home, 'node_modules', dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, source, 'node_modules', dependency), link, 'junction');
  }
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
