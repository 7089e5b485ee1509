import { allocated } from '../allocated.js';
import { profile } from '../profile.js';
import { bullmq } from './bullmq.js';
import { type Competitor, type Job, now, type Place, shareWarmUp } from './competitor.js';
import { graphile } from './graphile.js';
import { loop } from './loop.js';
import { pgBoss10, pgBoss12 } from './pg-boss.js';
import { posthorn, variants } from './posthorn.js';

/*
 * Runs one measurement in a process of its own: `measure <competitor> <what> <count> <place> <variant>`. Sends the
 * figures to the parent.
 */

const competitors = { loop, posthorn, graphile, pgBoss10, pgBoss12, bullmq };
export type CompetitorName = keyof typeof competitors;

const [, , name, what, countText, placeText, variantText] = process.argv;
const variant = variants.find((each) => each === variantText) ?? 'plain';
const count = Number(countText);
const place: Place = JSON.parse(placeText!);
const text = 'x'.repeat(variant === 'large' ? 9_900 : 900);
const jobTo = (path: string): Job => ({ path, sentAt: now(), text });

/** Publishes by 64 callers, each one event after another, until there are `total` deliveries. */
async function publishAll(competitor: Competitor, total: number): Promise<void> {
  let left = Math.ceil(total / (competitor.deliveriesOfEach ?? 1));
  async function caller(): Promise<void> {
    while (left-- > 0) await competitor.publish(jobTo('/'));
  }
  await Promise.all(Array.from({ length: 64 }, caller));
}

/** Counts finished deliveries, and resolves when a number is reached. */
function counter(): { onDone: () => void; done: () => number; reach: (total: number) => Promise<void> } {
  let done = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let resolve: (() => void) | undefined;
  return {
    onDone() {
      if (++done >= wanted) resolve?.();
    },
    done: () => done,
    reach(total) {
      wanted = done >= total ? 0 : total;
      return done >= total
        ? Promise.resolve()
        : new Promise((resolved) => {
            resolve = resolved;
          });
    },
  };
}

const messageFromParent = (): Promise<unknown> => new Promise((resolve) => process.once('message', resolve));

export interface Figures {
  /** The number of events done meanwhile. */
  readonly count: number;
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function timed(run: () => Promise<void>, left: () => number = () => count): Promise<Figures> {
  process.send?.({ begin: true });
  await messageFromParent();
  const count = left();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await run();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { count, perSecond: count / seconds, cpuMicros: (user + system) / count };
}

/** Publishes 200 events a second; `slowShare` of them go to the slow webhook. */
async function steady(competitor: Competitor, slowShare: number): Promise<void> {
  const begin = performance.now();
  const publishing: Promise<unknown>[] = [];
  for (let n = 0; n < count; n++) {
    const wait = begin + n * 5 - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const isSlow = slowShare > 0 && n % Math.round(1 / slowShare) === 0;
    publishing.push(competitor.publish(jobTo(isSlow ? '/slow' : '/')));
  }
  await Promise.all(publishing);
}

/** Publishes until there are `total` more deliveries, and waits until all so far are recorded. */
async function publishAndReach(competitor: Competitor, total: number): Promise<void> {
  await publishAll(competitor, total);
  reached += total;
  await reach(reached);
}

/** Long enough for V8 to compile the measured code of every engine. */
const warmUp = 20_000;
const competitor = await (name === 'posthorn'
  ? posthorn(place, { variant, ...(what!.startsWith('slow') && { webhookConcurrency: 10 }) })
  : competitors[name as CompetitorName](place));
const { onDone, done, reach } = counter();
let reached = 0;

switch (what) {
  case 'endToEnd': {
    await competitor.work(onDone);
    await publishAndReach(competitor, warmUp);
    process.send?.({ figures: await timed(() => publishAndReach(competitor, count)) });
    break;
  }
  case 'allocated': {
    await competitor.work(onDone);
    await publishAndReach(competitor, warmUp);
    const bytes = await allocated(() => publishAndReach(competitor, count));
    process.send?.({ bytes: bytes / count });
    break;
  }
  case 'profile': {
    await competitor.work(onDone);
    await publishAndReach(competitor, warmUp);
    const cpu = process.cpuUsage();
    const parts = await profile(() => publishAndReach(competitor, count));
    const { user, system } = process.cpuUsage(cpu);
    process.send?.({ parts, cpuMicros: (user + system) / count });
    break;
  }
  case 'share': {
    // The parent counts the arrivals, because each process delivers whatever it claims.
    await competitor.work(onDone);
    process.send?.({ ready: true });
    await messageFromParent();
    await publishAll(competitor, shareWarmUp);
    await messageFromParent();
    await publishAll(competitor, count);
    await messageFromParent();
    break;
  }
  case 'afterNight': {
    // A burst that had to wait has left an empty queue, which is vacuumed.
    await publishAll(competitor, count);
    await competitor.work(onDone);
    await reach(count);
    reached = count;
    await competitor.rest?.();
    process.send?.({ figures: await timed(() => publishAndReach(competitor, count)) });
    break;
  }
  case 'enqueue': {
    await publishAll(competitor, warmUp);
    process.send?.({ figures: await timed(() => publishAll(competitor, count)) });
    break;
  }
  case 'drain': {
    // The first part of the waiting events is the warm-up.
    await publishAll(competitor, warmUp + count);
    await competitor.work(onDone);
    await reach(warmUp);
    const total = warmUp + count;
    const figures = await timed(
      () => reach(total),
      () => total - done(),
    );
    process.send?.({ figures });
    break;
  }
  default: {
    // latency, slow 0, slow 0.05, slow 0.2
    await competitor.work(onDone);
    await steady(competitor, 0);
    process.send?.({ warm: true });
    await messageFromParent();
    const figures = await timed(async () => {
      await steady(competitor, Number(what!.split(' ')[1] ?? 0));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    });
    process.send?.({ figures });
  }
}
await new Promise((resolve) => setTimeout(resolve, 20));
process.exit();
