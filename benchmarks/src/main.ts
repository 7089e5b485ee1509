import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { load, median } from './figures.js';
import type { Figures } from './measure.js';
import { connections } from './senders.js';

/*
 * Measures the engine and bare undici, in turn, each in a process of its own, with one receiver in a third process.
 * `npm run bench -- 30000 5` sends 30,000 requests in each of 5 rounds; `npm run bench -- postgres` is about Postgres,
 * `npm run bench -- guard` about the address guard, `npm run bench -- api` about the management API,
 * `npm run bench -- kv` about SQLite.
 * Compare ratios within one run.
 */

if (process.argv[2] === 'postgres') {
  const { benchPostgres } = await import('./postgres/main.js');
  build();
  await benchPostgres(process.argv.slice(3));
  process.exit();
}
if (process.argv[2] === 'guard') {
  // Importing it resolves the packages, so they have to be built first.
  build();
  const { benchGuard } = await import('./guard.js');
  await benchGuard(process.argv.slice(3));
  process.exit();
}
if (process.argv[2] === 'kv') {
  build();
  const { benchKv } = await import('./kv.js');
  await benchKv(process.argv.slice(3));
  process.exit();
}
if (process.argv[2] === 'api') {
  build();
  const { benchApi } = await import('./api/main.js');
  await benchApi(process.argv.slice(3));
  process.exit();
}

const [, , countText = '40000', roundsText = '5', pendingText = '1000000'] = process.argv;
const count = Number(countText);
const rounds = Number(roundsText);
const pending = Number(pendingText);

build();

/** Builds the packages: the benchmark measures them as published. */
function build(): void {
  const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  execFileSync(process.execPath, [script], { stdio: 'ignore' });
}

const receiver = fork(new URL('./receiver.ts', import.meta.url));
const [port] = (await once(receiver, 'message')) as [number];
const origin = `http://127.0.0.1:${port}`;

async function measure<Result>(what: string, requests: number): Promise<Result> {
  const execArgv = ['--import', 'tsx', '--expose-gc', '--max-old-space-size=8192'];
  const child = fork(new URL('./measure.ts', import.meta.url), [what, origin, String(requests)], {
    execArgv,
  });
  const [result] = (await once(child, 'message')) as [Result];
  await once(child, 'exit');
  return result;
}

console.log(
  `${count} requests of 1 KB a round, ${rounds} rounds, ${connections} connections; ${cpus().length} cores, load ${load()}`,
);
const senders = ['bare', 'whole', 'deliveries'] as const;
const figures: Record<(typeof senders)[number], Figures[]> = { bare: [], whole: [], deliveries: [] };
for (let round = 0; round < rounds; round++) {
  for (const sender of senders) figures[sender].push(await measure<Figures>(sender, count));
}

const names = {
  bare: 'undici `request`, signed',
  whole: 'Posthorn: dispatch and deliver',
  deliveries: 'Posthorn: deliver',
};
const ratioTo = (sender: (typeof senders)[number], figure: keyof Figures) =>
  median(figures[sender].map((each, round) => each[figure] / figures.bare[round]![figure]));
console.table(
  Object.fromEntries(
    senders.map((sender) => [
      names[sender],
      {
        'requests/s': Math.round(median(figures[sender].map(({ perSecond }) => perSecond))),
        'of undici': ratioTo(sender, 'perSecond').toFixed(2),
        'CPU µs each': median(figures[sender].map(({ cpuMicros }) => cpuMicros)).toFixed(1),
        'CPU to undici': ratioTo(sender, 'cpuMicros').toFixed(2),
      },
    ]),
  ),
);

const parts = await measure<Record<string, number>>('profile', count);
const whole = median(figures.whole.map(({ cpuMicros }) => cpuMicros));
console.log('CPU of a delivery by part, dispatch included');
console.table(
  Object.fromEntries(
    Object.entries(parts).map(([part, share]) => [
      part,
      { share: `${(share * 100).toFixed(1)} %`, µs: (share * whole).toFixed(1) },
    ]),
  ),
);

const bytes = await measure<number>('heap', pending);
console.log(
  `${pending} pending deliveries, one per event: ${Math.round(bytes)} bytes of heap each, beyond the payload`,
);
const few = await measure<number>('matching', 1_000);
const many = await measure<number>('matching', pending);
console.log(
  `a dispatch that matches 3 webhooks: ${few.toFixed(1)} µs among 1000, ${many.toFixed(1)} µs among ${pending}: ${(many / few).toFixed(2)} times`,
);
console.log(`load at the end ${load()}`);
receiver.disconnect();
