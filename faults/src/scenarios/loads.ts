import { once } from 'node:events';
import { createDispatcher, isPosthornError, type PosthornError } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { postgresStorage } from '@posthorn/storage-postgres';
import { recordingChannel } from '@posthorn/testing';
import { atLeast, atMost, clean, pause } from '../rig.js';
import type { Scenario } from '../scenario.js';

const types = ['order.created'];

export const noTransactions: Scenario = {
  id: 'F16',
  what: 'a receiver takes 2 s; no transaction is held meanwhile',
  async run(rig) {
    const { dispatcher } = await rig.engine(types);
    await rig.behave({ delayMs: 2_000 });
    await dispatcher.dispatchMany(Array.from({ length: 50 }, () => ({ type: 'order.created', payload: 1 })));
    await rig.worker({ concurrency: 50 });
    while (rig.arrivals().length < 50) await pause(10);
    const { rows } =
      await rig.pool.query(`select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::float8 * 1000 as ms
      from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`);
    return [atMost('the oldest transaction', rows[0].ms, 500, ' ms')];
  },
};

export const pruning: Scenario = {
  id: 'F17',
  what: 'retention deletes 200,000 events while 200 a second are delivered',
  async run(rig, { size }) {
    await rig.engine(types);
    const count = Math.round(200_000 * Math.max(size, 0.1));
    const id = `'evt_' || lpad(i::text, 22, '0')`;
    await rig.pool.query(`insert into posthorn.events (id, tenant_id, type, payload, occurred_at, published_at, deliveries)
      select ${id}, 'default', 'order.created', '{}', now(), now() - interval '40 days', 1 from generate_series(1, ${count}) i`);
    await rig.pool.query(`insert into posthorn.deliveries (event_id, binding_id, webhook_id, channel, status, attempts, attempts_before, finished_at)
      select ${id}, 'ch_0000000000', 'wh_0000000000', 'webhook', 'delivered', 1, 0, now() from generate_series(1, ${count}) i`);
    await rig.pool.query('analyze');
    const publisher = rig.publisher({ count: 2_000, perSecond: 200, types, works: true });
    const { log } = postgresStorage(rig.pool);
    const times: number[] = [];
    for (let batch = -1; batch !== 0; ) {
      const begin = performance.now();
      batch = await log.prune({ olderThanMs: 30 * 86_400_000, limit: 1_000 });
      times.push(performance.now() - begin);
    }
    await once(publisher, 'message');
    await rig.settled(10_000);
    times.sort((a, b) => a - b);
    const { rows } = await rig.pool.query(
      `select count(*)::int as left from posthorn.events where published_at < now() - interval '30 days'`,
    );
    return [
      ...clean(rig.ledger()),
      // The publisher's own retention has deleted some of them.
      atMost('left of those', rows[0].left, 0),
      atMost('p95 of a batch', times[Math.floor(times.length * 0.95)]!, 200, ' ms'),
    ];
  },
};

export const smallPool: Scenario = {
  id: 'F18',
  what: 'five connections, 100 slots, a receiver that takes 1 s; the application needs a connection, too',
  async run(rig) {
    const { dispatcher } = await rig.engine(types);
    await rig.behave({ delayMs: 1_000 });
    for (let n = 0; n < 3; n++) {
      await dispatcher.dispatchMany(
        Array.from({ length: 200 }, () => ({ type: 'order.created', payload: 1 })),
      );
    }
    const worker = await rig.worker({ poolMax: 5, concurrency: 100 });
    const times: number[] = [];
    for (let n = 0; n < 100; n++) {
      worker.send({ health: true });
      const [{ healthMs }] = (await once(worker, 'message')) as [{ healthMs: number }];
      times.push(healthMs);
      await pause(20);
    }
    times.sort((a, b) => a - b);
    return [atMost('p99 of a query of the application', times[98]!, 200, ' ms')];
  },
};

export const fullMemory: Scenario = {
  id: 'F42',
  what: 'a million events for a receiver that never answers, in memory',
  async run() {
    const maxBytes = 64 * 1024 * 1024;
    const channel = recordingChannel();
    const dispatcher = createDispatcher({ storage: memoryStorage({ maxBytes }), channels: [channel] });
    await dispatcher.webhooks.create({
      name: 'w',
      eventTypes: ['*'],
      channels: [{ channel: channel.type, configs: {} }],
    });
    const before = process.memoryUsage().heapUsed;
    let stored = 0;
    let refusal: unknown;
    try {
      for (; stored < 1_000_000; stored++)
        await dispatcher.dispatch('order.created', { n: stored, text: 'x'.repeat(100) });
    } catch (error) {
      refusal = error;
    }
    globalThis.gc?.();
    const mebibytes = (process.memoryUsage().heapUsed - before) / 1024 / 1024;
    const code = isPosthornError(refusal) ? (refusal as PosthornError).code : 'none';
    return [
      atLeast(`refused with ${code}`, code === 'storage_full' ? 1 : 0, 1),
      atLeast('stored before', stored, 10_000),
      atMost('heap', mebibytes, 160, ' MiB'),
    ];
  },
};

export const migrations: Scenario = {
  id: 'F43',
  what: 'ten processes start on an empty schema; then a later version adds to it under load',
  async run(rig, { size }) {
    const begin = Date.now();
    await Promise.all(Array.from({ length: 10 }, () => postgresStorage(rig.pool).migrate()));
    const ready = Date.now() - begin;
    await rig.engine(types);
    const worker = await rig.worker();
    const seconds = size < 1 ? 6 : 30;
    const publisher = rig.publisher({ count: 100 * seconds, perSecond: 100, types, works: true });
    await pause(2_000);
    // A later version may add, never change. A statement under load holds a lock on one of these tables and waits for
    // another:
    // if the server ends this one as the victim of a deadlock, it is run again, as `migrate` does.
    for (let tries = 1, isAdded = false; !isAdded; tries++) {
      isAdded = await rig.pool
        .query(`
          alter table posthorn.events add column added_later text;
          alter table posthorn.queue add column added_later text;
          alter table posthorn.deliveries add column added_later text;
          insert into posthorn.migrations (number, name) values (9999, 'later')`)
        .then(
          () => true,
          (error) => {
            if (error.code !== '40P01' || tries === 10) throw error;
            return false;
          },
        );
    }
    await postgresStorage(rig.pool).migrate();
    const [{ refused }] = (await once(publisher, 'message')) as [{ refused: number }];
    await rig.settled(10_000);
    worker.send({ ask: true });
    const [{ count }] = (await once(worker, 'message')) as [{ count: { errors: number } }];
    return [
      ...clean(rig.ledger()),
      atMost('ready after', ready / 1_000, 10, ' s'),
      atMost('refused', refused, 0),
      atMost('errors of the worker', count.errors, 0),
    ];
  },
};

export const soak: Scenario = {
  id: 'F44',
  what: 'a long run with 5 % failures and a kill every minute',
  async run(rig, { size }) {
    await rig.engine(types);
    await rig.behave({ failShare: 0.05 });
    const steadyWorker = await rig.worker();
    const seconds = Math.round(180 * Math.max(size, 0.06));
    const publisher = rig.publisher({ count: 100 * seconds, perSecond: 100, types });
    const begin = Date.now();
    let dying = await rig.worker();
    while (publisher.exitCode === null && Date.now() < begin + seconds * 1_000 + 20_000) {
      const isOver = await Promise.race([
        once(publisher, 'message').then(() => true),
        pause(Math.min(60_000, seconds * 400)).then(() => false),
      ]);
      dying.kill('SIGKILL');
      if (isOver) break;
      dying = await rig.worker();
    }
    const isSettled = await rig.settled(30_000);
    return [
      ...clean(rig.ledger()),
      atLeast('finished', isSettled ? 1 : 0, 1),
      atLeast('the other worker is alive', steadyWorker.exitCode === null ? 1 : 0, 1),
    ];
  },
};
