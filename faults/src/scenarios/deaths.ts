import { once } from 'node:events';
import { atLeast, atMost, clean, pause, type Rig } from '../rig.js';
import type { Scenario } from '../scenario.js';

const type = 'order.created';
const leaseMs = 1_000;
const pollMs = 200;

async function dispatched(rig: Rig, count: number): Promise<string[]> {
  const { dispatcher } = await rig.engine([type]);
  const events = Array.from({ length: count }, (_, n) => ({ type, payload: n }));
  return (await dispatcher.dispatchMany(events)).map(({ eventId }) => eventId);
}

/** How many attempts are counted, how many are recorded, and how many of those have the outcome unknown. */
async function attemptsOf(rig: Rig): Promise<{ counted: number; recorded: number; unknown: number }> {
  const { rows } = await rig.pool.query(`
    select (select sum(attempts)::int from posthorn.deliveries) as counted,
      (select count(*)::int from posthorn.deliveries where attempt_id is not null)
        + (select count(*)::int from posthorn.attempts) as recorded,
      (select count(*)::int from posthorn.attempts where outcome = 'unknown') as unknown`);
  return rows[0];
}

export const claimed: Scenario = {
  id: 'CLM',
  what: 'workers die after their claim, more often than a delivery has attempts',
  async run(rig, { size }) {
    const ids = await dispatched(rig, 60);
    for (let deaths = Math.max(6, Math.round(12 * size)); deaths > 0; deaths--) {
      const dying = await rig.worker({ leaseMs, pollMs, concurrency: 100, failAt: 'claim:after' });
      await dying.exited;
      await pause(leaseMs);
    }
    await rig.worker({ leaseMs, pollMs });
    const isSettled = await rig.settled(20_000);
    const ledger = rig.ledger(ids);
    return [
      ...clean(ledger),
      atMost('duplicates', ledger.duplicates, 0),
      atMost('attempts', (await attemptsOf(rig)).counted, 60),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

export const answered: Scenario = {
  id: 'ANS',
  what: 'a worker dies after answers have arrived and before they are recorded',
  async run(rig) {
    const ids = await dispatched(rig, 100);
    await rig.behave({ delayMs: 50 });
    const settings = { leaseMs, pollMs, concurrency: 20 };
    const dying = await rig.worker({ ...settings, failAt: 'send:after', failNth: 30 });
    await dying.exited;
    await rig.worker(settings);
    const isSettled = await rig.settled(20_000);
    const ledger = rig.ledger(ids);
    const { counted, recorded, unknown } = await attemptsOf(rig);
    const requests = ledger.arrivals.length;
    return [
      ...clean(ledger),
      atMost('requests that count as no attempt', requests - counted, 0),
      // Begun, but killed before the request was sent.
      atMost('attempts without a request', counted - requests, 20),
      atMost('attempts that are not on record', counted - recorded, 0),
      atLeast('attempts with the outcome unknown', unknown, 1),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

export const poisoned: Scenario = {
  id: 'POI',
  what: 'a delivery crashes every worker that sends it',
  async run(rig) {
    const ids = await dispatched(rig, 40);
    const { dispatcher } = await rig.engine(['order.poison']);
    const { eventId } = await dispatcher.dispatch('order.poison', {});
    const settings = { leaseMs, pollMs, concurrency: 10, poison: 'order.poison' };
    let deaths = 0;
    let isSettled = false;
    while (!isSettled && deaths < 10) {
      const worker = await rig.worker(settings);
      isSettled = await Promise.race([rig.settled(15_000), worker.exited.then(() => false)]);
      if (!isSettled) deaths++;
    }
    const { rows } = await rig.pool.query(
      'select status, attempts, outcome, kind from posthorn.deliveries where event_id = $1',
      [eventId],
    );
    const { status, attempts, outcome, kind } = rows[0] ?? {};
    const hasReason = status === 'dead' && outcome === 'unknown' && kind === 'worker_lost';
    return [
      ...clean(rig.ledger(ids)),
      atLeast('it is dead, with the reason', hasReason ? 1 : 0, 1),
      // The attempts of its schedule, and the first one, which the schedule does not count.
      atMost('its attempts', Number(attempts), 6),
      atMost('deaths', deaths, 6),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

export const asleep: Scenario = {
  id: 'SLP',
  what: 'a worker sleeps for longer than its lease, others take over, and it wakes up',
  async run(rig) {
    const ids = await dispatched(rig, 300);
    await rig.behave({ delayMs: 1_000 });
    const settings = { leaseMs: 2_000, pollMs, concurrency: 10 };
    const sleepy = await rig.worker(settings);
    // All slots are taken, so no claim has passed its checks and is not yet sent.
    while (rig.arrivals().length < settings.concurrency) await pause(10);
    sleepy.kill('SIGSTOP');
    await rig.worker({ ...settings, concurrency: 50 });
    const isSettled = await rig.settled(30_000);
    // Requests that it had sent before have arrived.
    const before = rig.arrivals().length;
    sleepy.kill('SIGCONT');
    await pause(2_500);
    const ledger = rig.ledger(ids);
    return [
      ...clean(ledger),
      atMost('sent by the worker that woke up', ledger.arrivals.length - before, 0),
      atMost('duplicates', ledger.duplicates, 20),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

/** The default duration; `npm run faults -- --soak 8m` sets another. */
const daySeconds = 60;

export const day: Scenario = {
  id: 'DAY',
  what: 'a day in fast motion: 200 events a second, a worker killed every ten seconds, failures, hangs',
  async run(rig, { soakSeconds = daySeconds }) {
    const types = Array.from({ length: 20 }, (_, i) => `order.n${i}`);
    await rig.engine(types);
    await rig.behave({ failShare: 0.1, hangShare: 0.01 });
    const workers = await Promise.all([0, 1, 2].map(() => rig.worker({ leaseMs: 5_000 })));
    const publisher = rig.publisher({ count: 200 * soakSeconds, perSecond: 200, types });
    const told = once(publisher, 'message').then(() => true);
    let kills = 0;
    for (let isOver = false; !isOver && publisher.exitCode === null; ) {
      isOver = await Promise.race([told, pause(10_000).then(() => false)]);
      const at = kills++ % workers.length;
      workers[at]!.kill('SIGKILL');
      workers[at] = await rig.worker({ leaseMs: 5_000 });
    }
    const isSettled = await rig.settled(120_000);
    const ledger = rig.ledger();
    const { counted, recorded } = await attemptsOf(rig);
    return [
      // One in a hundred thousand is expected to fail five times in a row: it is dead, not lost.
      atMost('lost', ledger.lost - (await deadOf(rig)), 0),
      atMost('altered', ledger.altered, 0),
      atLeast('acknowledged', ledger.acknowledged, 200 * soakSeconds),
      atMost('duplicates', ledger.duplicates, kills * 50),
      atMost('attempts that are not on record', counted - recorded, 0),
      atMost('requests that count as no attempt', ledger.arrivals.length - counted, 0),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

async function deadOf(rig: Rig): Promise<number> {
  const { rows } = await rig.pool.query(
    "select count(*)::int as dead from posthorn.deliveries where status = 'dead'",
  );
  return rows[0].dead;
}
