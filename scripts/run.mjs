// The entry point on a fresh machine: `node scripts/run.mjs start|test|bench|faults|fuzz|build|check …` needs only Node
// and npm. It installs the dependencies if they are missing, then runs the task in this terminal.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { install, requireNode, root, tool } from './install.mjs';

// If set, `test` also writes Vitest's JSON report to this file.
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

/**
 * Runs the TypeScript sources without a build: `@posthorn/*` resolves to them. It is one process, so that signals work.
 */
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

// In `test` each parser is fuzzed for a second, here for a minute.
const env = name === 'fuzz' ? { POSTHORN_FUZZ_SECONDS: '60', ...process.env } : process.env;
const child = spawn(process.execPath, [...tasks[name](), ...args], { cwd: root, env, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the task as well. Many programs exit at once on a second signal.
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

/** Vitest reports success if all tests passed, even after an unhandled error; only its exit code shows the error. */
function correct(code) {
  if (code === 0) return;
  try {
    writeFileSync(results, JSON.stringify({ ...JSON.parse(readFileSync(results, 'utf8')), success: false }));
  } catch {
    // Without a report the run has failed as well.
  }
}
