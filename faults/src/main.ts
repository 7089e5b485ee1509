import type { Duration } from '@posthorn/core';
import { toMs } from '@posthorn/core/schemas';
import { startPostgres } from '../../scripts/postgres.mjs';
import { type Finding, Rig } from './rig.js';
import type { Scenario } from './scenario.js';
import { answered, asleep, claimed, day, poisoned } from './scenarios/deaths.js';
import { changingDigests } from './scenarios/digest-changes.js';
import { digests } from './scenarios/digests.js';
import { keyChange } from './scenarios/keys.js';
import { abandoned, killed, matrix, replayed } from './scenarios/kills.js';
import { fullMemory, migrations, noTransactions, pruning, smallPool, soak } from './scenarios/loads.js';
import { inOrder } from './scenarios/ordering.js';
import { crashes, noHints, readOnly, silentHints, terminated } from './scenarios/outages.js';
import { badTls, blackHole, gluttons, slowLoris } from './scenarios/receivers.js';
import { impatient, race, stopping } from './scenarios/stopping.js';
import { changes, races, serializable, transactions } from './scenarios/transactions.js';

/*
 * Injects faults and checks that the promises hold. `npm run faults` runs all scenarios, `npm run faults -- F1 F8`
 * some, `npm run faults -- --short` the short form, `npm run faults -- --soak 8m` a day in fast motion for 8 minutes.
 */

const scenarios: readonly Scenario[] = [
  ...[killed, abandoned, transactions, stopping, impatient, race, crashes, terminated, silentHints, noHints],
  ...[
    serializable,
    noTransactions,
    pruning,
    smallPool,
    readOnly,
    races,
    changes,
    fullMemory,
    migrations,
    soak,
  ],
  ...[slowLoris, gluttons, blackHole, badTls, keyChange, inOrder, replayed, digests, changingDigests],
  ...[claimed, answered, poisoned, asleep, day],
  ...matrix,
];
/** Scenarios that the short form skips: they take long, or the tests of the packages cover them. */
const long = new Set(['F1', 'F4', 'F8', 'F9', 'F11', 'F17', 'F19', 'F44', 'F42', 'F18', 'RPL', 'DAY']);

const args = process.argv.slice(2);
const isShort = args.includes('--short');
const soakAt = args.indexOf('--soak');
const soakSeconds = soakAt < 0 ? undefined : toMs(args[soakAt + 1] as Duration, '--soak') / 1_000;
const wanted = soakAt < 0 ? args.filter((arg) => !arg.startsWith('--')) : ['DAY'];
const chosen = scenarios.filter(({ id, isMatrix }, i) => {
  if (wanted.length > 0) return wanted.includes(id) || (isMatrix && wanted.includes('matrix'));
  return !isShort || (isMatrix ? i % 3 === 0 : !long.has(id));
});

let figures = 0;
const beyond: string[] = [];
const server = await startPostgres({ durable: true });
for (const scenario of chosen) {
  const { id, what, settings } = scenario;
  const own = settings ? await startPostgres({ durable: true, settings }) : server;
  const rig = await Rig.open(own);
  const begin = Date.now();
  let findings: Finding[];
  try {
    findings = await scenario.run(rig, {
      size: isShort ? 0.1 : 1,
      ...(soakSeconds !== undefined && { soakSeconds }),
    });
  } catch (error) {
    findings = [{ what: String((error as Error).stack ?? error), figure: 'threw', limit: '', ok: false }];
  } finally {
    await rig.close();
    if (own !== server) await own.stop();
  }
  const ok = findings.every((finding) => finding.ok);
  figures += findings.length;
  console.log(
    `${ok ? 'ok    ' : 'FAILED'}  ${id}  ${what}  (${((Date.now() - begin) / 1_000).toFixed(1)} s)`,
  );
  for (const { what: name, figure, limit, ok: isFine } of findings) {
    const line = `${name}: ${figure} (${limit})`;
    console.log(`          ${isFine ? ' ' : '!'} ${line}`);
    if (!isFine) beyond.push(`${id}: ${line}`);
  }
}
await server.stop();
console.log(`${chosen.length} faults, ${figures} figures, ${beyond.length} of them outside their limits`);
for (const line of beyond) console.log(line);
process.exit(beyond.length > 0 ? 1 : 0);
