import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Exits with a one-line message if this Node is older than the repository supports. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Posthorn needs Node 20.19 or later; this is ${process.versions.node}.`);
  process.exit(1);
}

/** The file behind a package's command, to run with `node`: without a shim, and so without a shell, on any system. */
export function tool(name, command = name) {
  const folder = join(root, 'node_modules', name);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[command]);
}

/** The packages below `folder`, as paths relative to the root. */
export function packageFolders(folder = 'packages') {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder))
    .map((name) => `${folder}/${name}`)
    .filter((path) => existsSync(join(root, path, 'package.json')));
}

/**
 * Runs pnpm in the root and returns the result of `spawnSync`. Uses an installed pnpm of our major version, else the
 * pinned one by npx.
 */
export function pnpm(args) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [, version, major] = /^pnpm@((\d+)\.[\d.]+)/.exec(packageManager);
  const installed = spawn('pnpm', ['--version']);
  return installed.status === 0 && installed.stdout.trim().split('.')[0] === major
    ? spawn('pnpm', args)
    : npx(['--yes', `pnpm@${version}`, ...args]);
}

/** Runs npx in the root and returns the result of `spawnSync`. */
export function npx(args) {
  return spawn('npx', args);
}

/** Installs the dependencies of the lock file, unless `node_modules` already has them. Exits if that fails. */
export function install() {
  const stamp = join(root, 'node_modules', '.install-stamp');
  const folders = ['.', ...packageFolders(), ...packageFolders('examples'), 'benchmarks', 'faults'].filter(
    (folder) => existsSync(join(root, folder, 'package.json')),
  );
  const wanted = digest(folders);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && folders.every(isLinked)) return;

  // The stamp is removed first: an interrupted install must not look complete.
  rmSync(stamp, { force: true });
  console.error('Installing dependencies …');
  // --prod=false: NODE_ENV=production would leave out the tools. A purge is confirmed in advance, without a prompt.
  const flags = ['--frozen-lockfile', '--prod=false', '--config.confirm-modules-purge=false'];
  const { status, stdout, stderr, error } = pnpm(['install', ...flags]);
  if (status !== 0) {
    console.error([stdout, stderr, error?.message].filter(Boolean).join('\n').trim());
    console.error('Installing the dependencies failed.');
    process.exit(status || 1);
  }
  writeFileSync(stamp, wanted);
}

/** A hash of everything that determines an install. On another system it has other binaries. */
function digest(folders) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...folders.map((f) => `${f}/package.json`)]) {
    hash.update(`\n${file}\n`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

/** Whether packages with dependencies have their node_modules: the stamp does not show that they were deleted. */
function isLinked(folder) {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, folder, 'package.json'), 'utf8'),
  );
  const isBare = Object.keys({ ...dependencies, ...devDependencies }).length === 0;
  return isBare || existsSync(join(root, folder, 'node_modules'));
}

/** Windows starts npx and pnpm only through a shell. The arguments here need no quoting. */
function spawn(command, args) {
  const options = {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, COREPACK_ENABLE_DOWNLOAD_PROMPT: '0' },
  };
  return process.platform === 'win32'
    ? spawnSync([command, ...args].join(' '), { ...options, shell: true })
    : spawnSync(command, args, options);
}
