import { profile } from './profile.js';
import { bare, deliveries, heapPerPending, matchingMicros, whole } from './senders.js';

/* Runs one measurement in a process of its own: `measure <what> <origin> <count>`. Sends the figures to the parent. */

export interface Figures {
  readonly perSecond: number;
  /** CPU time of this process per request, in microseconds. */
  readonly cpuMicros: number;
}

async function timed(count: number, run: () => Promise<void>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await run();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMicros: (user + system) / count };
}

const [, , what, origin = '', countText = ''] = process.argv;
const count = Number(countText);
const warmUp = 20_000;

async function measure(): Promise<unknown> {
  switch (what) {
    case 'bare':
    case 'whole': {
      const send = await { bare, whole }[what](origin);
      await send(warmUp);
      return timed(count, () => send(count));
    }
    case 'deliveries': {
      const { prepare, run } = await deliveries(origin);
      await prepare(warmUp);
      await run();
      await prepare(count);
      globalThis.gc?.();
      return timed(count, run);
    }
    case 'profile': {
      const send = await whole(origin);
      await send(warmUp);
      return profile(() => send(count));
    }
    case 'heap':
      return heapPerPending(count);
    case 'matching':
      return matchingMicros(count);
    default:
      throw new Error(`unknown measurement: ${what}`);
  }
}

process.send?.(await measure());
process.exit();
