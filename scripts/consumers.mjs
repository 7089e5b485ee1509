// Installs the packed packages by npm into a new application, and delivers an event in each way that applications load
// or bundle them. `npm run consumers` builds, packs, tries all and writes the table of docs/packages.md.
// `node scripts/consumers.mjs --short <folder>` takes the tarballs of pack.mjs from the folder and tries the CommonJS ones.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { consumers } from './consumers/consumers.mjs';
import { root, tool } from './install.mjs';
import { node } from './spawn.mjs';

const { values, positionals } = parseArgs({
  options: { short: { type: 'boolean' } },
  allowPositionals: true,
});
const home = mkdtempSync(join(tmpdir(), 'posthorn-consumers-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
const tarballs = resolve(positionals[0] ?? join(home, 'tarballs'));
const chosen = consumers.filter(({ isShort }) => isShort || !values.short);

if (positionals.length === 0) {
  await must(['scripts/build.mjs']);
  await must(['scripts/pack.mjs', tarballs]);
}
const versions = install();
const results = [];
for (const consumer of chosen) {
  const output = await failureOf(consumer);
  results.push({ ...consumer, output });
  console.log(output ? `FAILED  ${consumer.name}\n${output}` : `ok      ${consumer.name}`);
}
if (!values.short) await writeTable();
process.exitCode = results.every(({ output }) => !output) ? 0 : 1;

/** Installs the tarballs and the tools that the chosen consumers need. Returns the version of each tool. */
function install() {
  const needed = ['core', 'channel-http', 'outbound', 'storage-memory', 'template'];
  const packed = readdirSync(tarballs).filter((file) =>
    needed.some((name) => file.startsWith(`posthorn-${name}-`) && file.endsWith('.tgz')),
  );
  const tools = Object.assign({}, ...chosen.map(({ tools }) => tools));
  write('package.json', JSON.stringify({ private: true, devDependencies: tools }));
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const args = ['install', ...flags, ...packed.map((file) => `"${join(tarballs, file)}"`)];
  const { status, stdout, stderr } = spawnSync(['npm', ...args].join(' '), {
    cwd: home,
    shell: true,
    encoding: 'utf8',
  });
  if (status !== 0) fail(`npm cannot install the packages:\n${stdout}${stderr}`);
  return tools;
}

/** Runs the commands of a consumer in a folder of its own. Returns the output of one that fails; '' if all succeed. */
async function failureOf({ name, files, commands }) {
  const folder = name.replace(/\W+/g, '-').toLowerCase();
  for (const [file, text] of Object.entries(files)) write(join(folder, file), text);
  // npm and pnpm set NODE_PATH, which would make the repository's modules visible.
  const env = { NODE_PATH: '', NODE_OPTIONS: '' };
  for (const [program, ...args] of commands) {
    const path = program.startsWith('@bin/') ? binOf(program.slice(5)) : [program];
    const { code, output } = await node([...path, ...args], { cwd: join(home, folder), env });
    if (code !== 0) return output || `exit code ${code}`;
  }
  return '';
}

/** The file behind a tool's command, as `node` runs it. */
function binOf(name) {
  const [tool, command = tool] = name.split(':');
  const folder = join(home, 'node_modules', tool);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return [join(folder, typeof bin === 'string' ? bin : bin[command])];
}

async function writeTable() {
  const page = join(root, 'docs/packages.md');
  const rows = results.map(({ name, tools, build, output }) => {
    const used = Object.entries(tools).map(([tool]) => `${tool} ${versions[tool]}`);
    return `| ${name} | ${used.join(', ') || '–'} | ${build} | ${output ? '**fails**' : 'works'} |`;
  });
  const table = ['| How | Tried with | Build | Result |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const text = readFileSync(page, 'utf8');
  const parts = /(<!-- npm run consumers -->\n\n).*?(\n\n<!-- end -->)/s;
  writeFileSync(page, text.replace(parts, `$1${table}$2`));
  await must([tool('@biomejs/biome', 'biome'), 'format', '--write', page]);
}

async function must(args) {
  const { code, output } = await node(args);
  if (code !== 0) fail(output);
}

function write(file, text) {
  mkdirSync(dirname(join(home, file)), { recursive: true });
  writeFileSync(join(home, file), text);
}

function fail(output) {
  console.error(output);
  process.exit(1);
}
