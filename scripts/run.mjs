// The door for a fresh machine: `node scripts/run.mjs start|test|bench|faults|fuzz|build|check …` needs Node and npm, nothing
// else. It installs what the lock file says where that is not yet there, then runs the task in this terminal.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { install, requireNode, root, tool } from './install.mjs';

// Where set, `test` also writes Vitest's JSON report to this file.
const results = process.env.POSTHORN_TEST_RESULTS && resolve(root, process.env.POSTHORN_TEST_RESULTS);

// `start --api` serves the management API, `start` alone shows deliveries.
const isApi = process.argv.includes('--api');

const tasks = {
  start: () => typescript(`examples/quickstart/src/${isApi ? 'api' : 'main'}.ts`),
  test: () => [
    tool('vitest'),
    'run',
    ...(results ? ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`] : []),
  ],
  bench: () => typescript('benchmarks/src/main.ts'),
  faults: () => typescript('faults/src/main.ts'),
  fuzz: () => [tool('vitest'), 'run', '--project', 'fuzz'],
  build: () => ['scripts/build.mjs'],
  check: () => ['scripts/check.mjs'],
};

/** Our sources as they are: no build, and `@posthorn/*` resolves to TypeScript. One process, so signals just work. */
function typescript(file) {
  return ['--conditions=@posthorn/source', '--import', 'tsx', file];
}

requireNode();
const [name = '', ...args] = process.argv.slice(2);
if (!Object.hasOwn(tasks, name)) {
  console.error(`Usage: node scripts/run.mjs ${Object.keys(tasks).join('|')} [arguments]`);
  process.exit(2);
}
const reported = name === 'test' && results;
if (reported) rmSync(results, { force: true });
install();
if (reported) mkdirSync(dirname(results), { recursive: true });

// In `test` each parser has a second, here a minute.
const env = name === 'fuzz' ? { POSTHORN_FUZZ_SECONDS: '60', ...process.env } : process.env;
const child = spawn(process.execPath, [...tasks[name](), ...args], { cwd: root, env, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the task as well; twice would mean "at once" to many programs.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('exit', (code, signal) => {
  if (reported) correct(code);
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exit(code);
  }
});

/** Vitest calls a run a success whose tests passed beside an unhandled error; only its exit code tells. */
function correct(code) {
  if (code === 0) return;
  try {
    writeFileSync(results, JSON.stringify({ ...JSON.parse(readFileSync(results, 'utf8')), success: false }));
  } catch {
    // No report at all says as much.
  }
}
