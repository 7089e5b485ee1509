import { once } from 'node:events';
import { atLeast, atMost, clean, pause } from '../rig.js';
import type { Scenario } from '../scenario.js';

export const stopping: Scenario = {
  id: 'F5',
  what: 'a worker stops while 50 attempts of 5 s are in flight and 1,000 deliveries are queued',
  async run(rig) {
    const { dispatcher } = await rig.engine(['order.created']);
    // Long enough, even on a busy machine, for all 50 requests to arrive before the first one is answered.
    await rig.behave({ delayMs: 5_000 });
    const items = Array.from({ length: 1_000 }, () => ({ type: 'order.created', payload: 1 }));
    await dispatcher.dispatchMany(items);
    const worker = await rig.worker({ concurrency: 50, leaseMs: 60_000, deadlineMs: 30_000 });
    while (rig.arrivals().length < 50) await pause(20);
    const begin = Date.now();
    worker.send({ stop: 20_000 });
    const code = await worker.exited;
    const took = Date.now() - begin;
    const { rows } = await rig.pool.query(`select
      (select count(*)::int from posthorn.deliveries) as recorded,
      (select count(*)::int from posthorn.queue where lease is not null) as leased`);
    const late = rig.arrivals().filter(({ at }) => at > begin + 100).length;
    return [
      atMost('begun after 100 ms', late, 0),
      atLeast('recorded', rows[0].recorded, 50),
      atMost('left leased', rows[0].leased, 0),
      // Less than a second round of attempts would take, and less than the grace time.
      atMost('took', took / 1_000, 9.5, ' s'),
      atMost('exit code', code ?? 1, 0),
      atMost('duplicates', rig.ledger([]).duplicates, 0),
    ];
  },
};

export const impatient: Scenario = {
  id: 'F6',
  what: 'a worker stops with a grace time of 2 s while 20 attempts of 30 s are in flight',
  async run(rig) {
    const { dispatcher } = await rig.engine(['order.created']);
    await rig.behave({ delayMs: 30_000 });
    await dispatcher.dispatchMany(Array.from({ length: 20 }, () => ({ type: 'order.created', payload: 1 })));
    const worker = await rig.worker({ concurrency: 20, leaseMs: 90_000, deadlineMs: 60_000 });
    while (rig.arrivals().length < 20) await pause(20);
    await rig.worker({ concurrency: 50, leaseMs: 90_000, deadlineMs: 60_000, pollMs: 500 });
    const begin = Date.now();
    worker.send({ stop: 2_000 });
    const [{ count }] = (await once(worker, 'message')) as [{ count: { released: number; failed: number } }];
    await worker.exited;
    const took = Date.now() - begin;
    const deadline = Date.now() + 5_000;
    while (rig.arrivals().length < 40 && Date.now() < deadline) await pause(20);
    const again = rig
      .arrivals()
      .slice(20)
      .map(({ at }) => at);
    const { rows } = await rig.pool.query('select max(attempts)::int as attempts from posthorn.queue');
    return [
      atMost('exit', took / 1_000, 2.5, ' s'),
      atLeast('given back', count.released, 20),
      atMost('counted as failures', count.failed, 0),
      atLeast('begun by the other', again.length, 20),
      atMost('the last of these, after the exit', (Math.max(...again) - begin - took) / 1_000, 1, ' s'),
      atMost('attempts', rows[0].attempts, 1),
    ];
  },
};

export const race: Scenario = {
  id: 'F7',
  what: 'four workers compete for 5,000 due deliveries',
  async run(rig) {
    const { dispatcher } = await rig.engine(['order.created']);
    const ids: string[] = [];
    // The same number in the short form: with fewer, a single claim would decide.
    const total = 5_000;
    for (let n = 0; n < total; n += 500) {
      const items = Array.from({ length: 500 }, () => ({ type: 'order.created', payload: 1 }));
      ids.push(...(await dispatcher.dispatchMany(items)).map(({ eventId }) => eventId));
    }
    await rig.behave({ delayMs: 20 });
    const workers = await Promise.all(
      [0, 1, 2, 3].map(() => rig.worker({ concurrency: 50, leaseMs: 30_000, waits: true })),
    );
    // Started at the same time: on a busy machine one worker could finish before the last one has started.
    for (const worker of workers) worker.send({ start: true });
    await rig.settled(60_000);
    const shares: number[] = [];
    for (const worker of workers) {
      worker.send({ ask: true });
      const [{ count }] = (await once(worker, 'message')) as [{ count: { delivered: number } }];
      shares.push(count.delivered);
    }
    const ledger = rig.ledger(ids);
    return [
      ...clean(ledger),
      atMost('duplicates', ledger.duplicates, 0),
      atLeast('the smallest share', (100 * Math.min(...shares)) / total, 10, ' %'),
    ];
  },
};
