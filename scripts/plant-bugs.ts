// Shows that the storage suite can fail. It plants one bug in each of many copies of the memory storage, and of the
// durable storage that its tests build on it, and runs the rules on each copy until one fails. Fails if a bug is not
// caught, if it no longer fits the sources, or if the unchanged sources break a rule. `npm run plant-bugs`
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Bug, bugs as memoryBugs } from './bugs.js';
import { durableBugs } from './durable-bugs.js';

interface Mutant {
  readonly name: string;
  /** The entry file of the copy: of the memory storage, or of the durable one. */
  readonly entry: string;
}

interface Proof {
  readonly name: string;
  /** The first rule that fails. */
  readonly broken: string | null;
}

/** The time limit for one copy, including the start of a process. */
const limitMs = 30_000;
const lanes = 2;

const home = fileURLToPath(new URL('../packages/storage-memory/', import.meta.url));
const prove = fileURLToPath(new URL('../packages/storage-memory/test/prove.ts', import.meta.url));
const cache = join(home, 'node_modules/.cache');
mkdirSync(cache, { recursive: true });
// Inside the package, so that the imports of the copies resolve.
const folder = mkdtempSync(join(cache, 'bugs-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');

const memory = 'src/index.ts';
const durable = 'test/kept-storage.ts';

function copyOf(name: string, number: number, entry: string, bug?: Bug): Mutant {
  const copy = join(folder, String(number));
  cpSync(join(home, 'src'), join(copy, 'src'), { recursive: true });
  cpSync(join(home, durable), join(copy, durable));
  if (bug) {
    const file = join(copy, dirname(entry), bug.file);
    const parts = readFileSync(file, 'utf8').split(bug.from);
    if (parts.length !== 2) {
      throw new Error(
        `the bug "${name}" no longer fits: its text occurs ${parts.length - 1} times in ${bug.file}, not once`,
      );
    }
    writeFileSync(file, parts.join(bug.to));
  }
  return { name, entry: join(copy, entry) };
}

/** Tests the copies one after another in a process of their own, until one takes too long. */
async function proveInProcess(mutants: readonly Mutant[]): Promise<Proof[]> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@posthorn/source', prove, ...mutants.map(({ entry }) => entry)],
    { cwd: home, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const proofs: Proof[] = [];
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limitMs);
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    proofs.push({ name: mutants[proofs.length]!.name, broken: JSON.parse(line) });
    timer.refresh();
  }
  const [code] = await ended;
  clearTimeout(timer);
  if (code !== 0 && !isLate)
    throw new Error(`the proof of "${mutants[proofs.length]?.name}" ended with ${code}`);
  return proofs;
}

/** Tests all copies. One that takes too long counts as caught, and the rest continues in the next process. */
async function proveAll(mutants: readonly Mutant[]): Promise<Proof[]> {
  const proofs: Proof[] = [];
  while (proofs.length < mutants.length) {
    proofs.push(...(await proveInProcess(mutants.slice(proofs.length))));
    const late = mutants[proofs.length];
    if (late) proofs.push({ name: late.name, broken: `it takes longer than ${limitMs} ms` });
  }
  return proofs;
}

const bugs = [...memoryBugs, ...durableBugs];
const originals = [memory, durable].map((entry, i) => copyOf(`${entry} as it is`, i, entry));
const mutants = bugs.map((bug, i) =>
  copyOf(bug.name, originals.length + i, i < memoryBugs.length ? memory : durable, bug),
);
const [sound, ...shares] = await Promise.all([
  proveAll(originals),
  ...Array.from({ length: lanes }, (_, lane) => proveAll(mutants.filter((_, i) => i % lanes === lane))),
]);

const proofs = new Map(shares.flat().map((proof) => [proof.name, proof.broken]));
const width = Math.max(...bugs.map(({ name }) => name.length));
for (const { name } of bugs) console.log(`${name.padEnd(width)}  ${proofs.get(name) ?? 'NOT CAUGHT'}`);
const caught = bugs.filter(({ name }) => proofs.get(name) != null);
console.log(`${caught.length} of ${bugs.length} bugs caught`);
const unsound = sound.filter(({ broken }) => broken !== null);
for (const { name, broken } of unsound) console.log(`WITHOUT A BUG  ${name}: ${broken}`);
process.exitCode = caught.length === bugs.length && unsound.length === 0 ? 0 : 1;
