// Runs `npm start` and `npm test` on every supported Node: `npm run matrix`, or on some: `npm run matrix -- 24 newest`.
// Arguments after the versions go to Vitest. Each Node comes from npm, and only these commands use it.
import { spawnSync } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { npx, requireNode, root } from './install.mjs';

/** The lowest version in package.json, and the newest of each maintained release line. */
const versions = ['20.19.0', '22', '24', '26'];

requireNode();
const args = process.argv.slice(2);
const firstOther = args.findIndex((arg) => !/^(?:\d+(?:\.\d+){0,2}|newest)$/.test(arg));
const named = firstOther === -1 ? args : args.slice(0, firstOther);
const forVitest = args.slice(named.length);

const results = (named.length > 0 ? named : versions).map((version) => {
  const node = nodeOf(version === 'newest' ? versions.at(-1) : version);
  const commands = { 'npm start': ['start'], 'npm test': ['test', ...forVitest] };
  return { ...node, failed: Object.keys(commands).filter((name) => !passes(node, commands[name])) };
});
for (const { version, failed } of results) {
  console.log(`Node ${version}: ${failed.length === 0 ? 'both pass' : `FAILED: ${failed.join(' and ')}`}`);
}
process.exitCode = results.every(({ failed }) => failed.length === 0) ? 0 : 1;

/**
 * The path of this version of Node in npm's cache. Without its install script the package is empty, and another Node
 * would run.
 */
function nodeOf(wanted) {
  const printVersion = ['node', '--print', 'process.version.slice(1)+process.execPath'];
  const { stdout, stderr, error } = npx(['--yes', `--package=node@${wanted}`, ...printVersion]);
  const [, version, path] = /^([\d.]+)(.+)$/m.exec(stdout ?? '') ?? [];
  if (version === wanted || version?.startsWith(`${wanted}.`)) return { version, path };
  const printed = [stderr, error?.message].filter(Boolean).join('\n').trim();
  const why = version ? `ran ${version}: does npm have ignore-scripts=true?` : 'could not run it';
  console.error(`Node ${wanted} is needed from npm's package of that name; npx ${why}\n${printed}`.trim());
  process.exit(1);
}

function passes({ path, version }, command) {
  console.log(`\nNode ${version}: ${['npm', ...command].join(' ')}\n`);
  const env = { ...process.env, PATH: `${dirname(path)}${delimiter}${process.env.PATH}` };
  return spawnSync(path, ['scripts/run.mjs', ...command], { cwd: root, env, stdio: 'inherit' }).status === 0;
}
