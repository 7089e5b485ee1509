// Checks a change. Every step runs, even if an earlier one failed, and the last line counts tests and steps.
// `--skip-tests <file>` does not run the tests, and counts them from Vitest's JSON report in that file.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { install, requireNode, root, tool } from './install.mjs';
import { node, nodes } from './spawn.mjs';

requireNode();
const { values } = parseArgs({ options: { 'skip-tests': { type: 'string' } } });
install();

const folder = mkdtempSync(join(tmpdir(), 'posthorn-check-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const tarballs = () => readdirSync(folder).filter((file) => file.endsWith('.tgz'));
const count = { passed: 0, failed: 0 };

await step('lint', () => [[tool('@biomejs/biome', 'biome'), 'ci', '--colors=off', '.']]);
await step('types', () => [[tool('typescript', 'tsc'), '--noEmit']]);
await tests();
// The tests run again on the newest Node, except the repository's own rules, which do not depend on Node.
await step('newest', () => [['scripts/matrix.mjs', 'newest', '--project=!repository']]);
await step('bugs', () => [['--conditions=@posthorn/source', '--import', 'tsx', 'scripts/plant-bugs.ts']]);
await step('unused', () => [[tool('knip')]]);
await step('build', () => [['scripts/build.mjs']]);
await step('pack', () => [['scripts/pack.mjs', folder]]);
await step('publint', () =>
  tarballs().map((file) => [tool('publint'), 'run', join(folder, file), '--strict']),
);
await step('attw', () => {
  const attw = tool('@arethetypeswrong/cli', 'attw');
  return tarballs().map((file) => [attw, join(folder, file)]);
});
await step('consume', () => [['scripts/consume.mjs', folder]]);
await step('consumers', () => [['scripts/consumers.mjs', '--short', folder]]);
await step('faults', () => [['scripts/run.mjs', 'faults', '--short']]);

console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;

/** Runs the commands of a step, each the arguments of a Node process. A step without commands has failed. */
async function step(name, commands) {
  const started = performance.now();
  const results = await nodes(commands().map((args) => [args]));
  const bad = results.filter(({ code }) => code !== 0);
  const passed = results.length > 0 && bad.length === 0;
  count[passed ? 'passed' : 'failed'] += 1;
  report(
    name,
    passed,
    performance.now() - started,
    bad.map(({ output }) => output).join('\n') || 'Nothing to do.',
  );
}

/** Counts the tests. A failed run without a failed test, such as a file that does not load, counts as one failure. */
async function tests() {
  const started = performance.now();
  const given = values['skip-tests'];
  const file = given ? resolve(root, given) : join(root, 'node_modules/.cache/posthorn/tests.json');
  const output = given
    ? `From the test run that wrote ${given}.`
    : (await node(['scripts/run.mjs', 'test'], { env: { POSTHORN_TEST_RESULTS: file } })).output;
  const { success, numPassedTests: passed, numFailedTests: failed } = read(file);
  count.passed += passed;
  count.failed += failed || (success ? 0 : 1);
  report('tests', success, performance.now() - started, output, `${passed} passed, ${failed} failed`);
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { success: false, numPassedTests: 0, numFailedTests: 0 };
  }
}

function report(name, passed, ms, output, detail = '') {
  const seconds = `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `${passed ? 'ok    ' : 'FAILED'}  ${name.padEnd(9)} ${seconds.padStart(7)}   ${detail}`.trimEnd(),
  );
  if (!passed) console.log(`\n${output.trim().replace(/^/gm, '    ')}\n`);
}
