import { once } from 'node:events';
import { moments, steps } from '../engine.js';
import { atLeast, atMost, clean, type Finding, pause, type Rig } from '../rig.js';
import type { Scenario } from '../scenario.js';

const leaseMs = 5_000;
const pollMs = 500;
const types = Array.from({ length: 20 }, (_, i) => `order.n${i}`);

export const killed: Scenario = {
  id: 'F1',
  what: 'of three workers, one is killed every two seconds and started again',
  async run(rig, { size }) {
    await rig.engine(types);
    const workers = await Promise.all([0, 1, 2].map(() => rig.worker({ leaseMs, pollMs })));
    const kills = Math.max(3, Math.round(15 * size));
    const publisher = rig.publisher({ count: kills * 600, perSecond: 300, types });
    let lastKill = 0;
    for (let n = 0; n < kills; n++) {
      await pause(2_000);
      const at = n % workers.length;
      workers[at]!.kill('SIGKILL');
      lastKill = Date.now();
      workers[at] = await rig.worker({ leaseMs, pollMs });
    }
    await once(publisher, 'message');
    const isSettled = await rig.settled(30_000);
    const ledger = rig.ledger();
    const last = Math.max(...ledger.arrivals.map(({ at }) => at));
    return [
      ...clean(ledger),
      atMost('duplicates', ledger.duplicates, kills * 100),
      atMost('last delivery after the last kill', (last - lastKill) / 1_000, 12, ' s'),
      atLeast('finished', isSettled ? 1 : 0, 1),
      atLeast('acknowledged', ledger.acknowledged, kills * 600),
    ];
  },
};

export const abandoned: Scenario = {
  id: 'F3',
  what: 'a worker dies after its claim, before it connects',
  async run(rig) {
    const { dispatcher } = await rig.engine(['order.created']);
    const ids: string[] = [];
    for (let n = 0; n < 100; n++) ids.push((await dispatcher.dispatch('order.created', n)).eventId);
    const dying = await rig.worker({ leaseMs, pollMs, concurrency: 100, failAt: 'claim:after' });
    await dying.exited;
    const at = Date.now();
    await rig.worker({ leaseMs, pollMs });
    await rig.settled(20_000);
    const ledger = rig.ledger(ids);
    const delay = Math.max(...ledger.arrivals.map((arrival) => arrival.at)) - at;
    return [
      ...clean(ledger),
      atMost('duplicates', ledger.duplicates, 0),
      atMost('delay', delay / 1_000, (leaseMs + pollMs) / 1_000 + 1, ' s'),
    ];
  },
};

export const replayed: Scenario = {
  id: 'RPL',
  what: 'a process dies in the middle of a replay, and another continues it',
  async run(rig, { size }) {
    const { dispatcher } = await rig.engine(['order.created']);
    const count = 1_000 * size;
    const events = Array.from({ length: count }, (_, n) => ({ type: 'order.created', payload: n }));
    const ids = (await dispatcher.dispatchMany(events)).map(({ eventId }) => eventId);
    await rig.behave({ status: 500 });
    const failing = await rig.worker({ leaseMs, pollMs });
    await rig.settled(60_000);
    failing.kill('SIGKILL');
    await rig.behave({ status: 200 });
    const dead = await dispatcher.replays.count();
    const { id } = await dispatcher.replays.create({ perSecond: 100 });
    // Deliveries that it had retried are not counted.
    const dying = await rig.worker({ leaseMs, pollMs, failAt: 'transition:after', failNth: 3 });
    const code = await Promise.race([dying.exited, pause(15_000).then(() => 0)]);
    await rig.worker({ leaseMs, pollMs });
    const deadline = Date.now() + 35_000 + 20 * count;
    while ((await dispatcher.replays.get(id)).status === 'running' && Date.now() < deadline) await pause(100);
    await rig.settled(20_000);
    const ledger = rig.ledger(ids);
    return [
      atLeast('dead before', dead, count),
      atLeast('died there', code === null ? 1 : 0, 1),
      ...clean(ledger),
      atMost('duplicates', ledger.duplicates, 75),
      atMost('dead afterwards', await dispatcher.replays.count(), 0),
      atLeast('finished', (await dispatcher.replays.get(id)).status === 'done' ? 1 : 0, 1),
    ];
  },
};

/**
 * A kill before, during and after every step of a delivery, generated from the list of steps, so that none is missing.
 */
export const matrix: readonly Scenario[] = steps.flatMap((step) =>
  moments.map((moment) => ({
    id: `kill ${step}:${moment}`,
    what: `a process dies at ${step}, ${moment}`,
    isMatrix: true,
    run: (rig: Rig) => dieAt(rig, `${step}:${moment}`),
  })),
);

async function dieAt(rig: Rig, failAt: string): Promise<Finding[]> {
  const shortLease = 2_000;
  await rig.engine(['order.created']);
  // The receiver is slow if the process has to live long enough to renew leases, or if deliveries have to wait for a
  // slot: deliveries that are sent at once begin with their publication.
  const isRenew = failAt.startsWith('renew');
  const delayMs = isRenew ? 2_500 : failAt.startsWith('begin') ? 250 : 0;
  await rig.behave({ delayMs });
  const settings = { leaseMs: shortLease, pollMs: 200, concurrency: 10 };
  // On a busy machine two publications could bring all 50, and there would be no third one.
  const oneByOne = failAt.startsWith('publish');
  const plan = { count: 50, perSecond: 100, types: ['order.created'], works: true, oneByOne };
  // Started before, because on a busy machine the start of a process takes seconds.
  const other = await rig.worker({ ...settings, waits: true });
  const dying = rig.publisher(plan, { ...settings, failAt, failNth: isRenew ? 1 : 3 });
  const code = await Promise.race([dying.exited, pause(45_000).then(() => 0)]);
  const diedAt = Date.now();
  await rig.behave({ delayMs: 0 });
  other.send({ start: true });
  const isSettled = await rig.settled(15_000);
  const ledger = rig.ledger();
  return [
    // A process that was killed by a signal has no exit code.
    atLeast('died there', code === null ? 1 : 0, 1),
    ...clean(ledger),
    atMost('duplicates', ledger.duplicates, 20),
    atLeast('finished', isSettled ? 1 : 0, 1),
    atMost('recovered after', (Date.now() - diedAt) / 1_000, (shortLease + 200) / 1_000 + 5, ' s'),
  ];
}
