import { atLeast, atMost, clean, pause, type Rig } from '../rig.js';
import type { Scenario } from '../scenario.js';

export const transactions: Scenario = {
  id: 'F4',
  what: 'events in transactions of the application, half of which roll back; the process is killed',
  async run(rig, { size }) {
    await rig.engine(['order.created']);
    await rig.pool.query('create table orders (n int not null, at timestamptz not null default now())');
    await rig.worker();
    const rounds = Math.max(3, Math.round(10 * size));
    for (let round = 0; round < rounds; round++) {
      const plan = { count: 100, perSecond: 200, types: ['order.created'], inTransactions: true };
      const orders = await ordersIn(rig);
      const publisher = rig.publisher(plan);
      // Killed amid its transactions, however long it took to start.
      await Promise.race([ordersAbove(rig, orders).then(() => pause(60 * (round + 1))), publisher.exited]);
      publisher.kill('SIGKILL');
      await publisher.exited;
    }
    await rig.settled(20_000);
    const orders = await ordersIn(rig);
    const ledger = rig.ledger();
    const delivered = new Set(ledger.arrivals.map(({ id }) => id)).size;
    return [
      ...clean(ledger),
      atMost('orders without a delivery, or deliveries without an order', Math.abs(delivered - orders), 0),
      atLeast('orders', orders, rounds),
    ];
  },
};

async function ordersIn({ pool }: Rig): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as orders from orders');
  return rows[0].orders;
}

/** Resolves when there are more orders, or after 20 s. */
async function ordersAbove(rig: Rig, orders: number): Promise<void> {
  const deadline = Date.now() + 20_000;
  while ((await ordersIn(rig)) <= orders && Date.now() < deadline) await pause(20);
}

export const races: Scenario = {
  id: 'F38',
  what: 'one idempotency key from ten processes at once, then with another event',
  async run(rig) {
    await rig.engine(['order.created']);
    const engines = await Promise.all(Array.from({ length: 10 }, () => rig.engine([], { poolMax: 2 })));
    const details = { idempotencyKey: 'order-1' };
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        engines[i % 10]!.dispatcher.dispatch('order.created', { n: 1 }, details).then(
          ({ eventId }) => eventId,
        ),
      ),
    );
    const refused = await Promise.allSettled(
      engines.map(({ dispatcher }) => dispatcher.dispatch('order.created', { n: 2 }, details)),
    );
    await engines[0]!.dispatcher.drain();
    const { arrivals } = rig.ledger([]);
    return [
      atMost('events', new Set(results).size, 1),
      atMost('deliveries', arrivals.length, 1),
      atLeast('conflicts', refused.filter(({ status }) => status === 'rejected').length, 10),
    ];
  },
};

export const serializable: Scenario = {
  id: 'F14',
  what: 'every transaction is serializable, with four workers',
  settings: { default_transaction_isolation: 'serializable' },
  async run(rig, { size }) {
    const { dispatcher } = await rig.engine(['order.created']);
    const count = Math.round(2_000 * Math.max(size, 0.25));
    const ids: string[] = [];
    for (let n = 0; n < count; n += 100) {
      const items = Array.from({ length: 100 }, () => ({ type: 'order.created', payload: n }));
      ids.push(...(await dispatcher.dispatchMany(items)).map(({ eventId }) => eventId));
    }
    await Promise.all([0, 1, 2, 3].map(() => rig.worker({ leaseMs: 10_000 })));
    const isSettled = await rig.settled(60_000);
    const ledger = rig.ledger(ids);
    return [
      ...clean(ledger),
      atMost('duplicates', ledger.duplicates, 0),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

export const changes: Scenario = {
  id: 'F40',
  what: 'a webhook is changed, then deleted, while retries wait',
  async run(rig) {
    const { dispatcher } = await rig.engine(['order.created']);
    await rig.behave({ status: 500 });
    for (let n = 0; n < 100; n++) await dispatcher.dispatch('order.created', n);
    await dispatcher.drain();
    const [webhook] = (await dispatcher.webhooks.list()).items;
    await rig.behave({ status: 200 });
    const url = `http://127.0.0.1:${rig.receiverPort}/moved`;
    await dispatcher.webhooks.update(webhook!.id, { channels: [{ channel: 'webhook', configs: { url } }] });
    const changedAt = Date.now();
    await deliverSome(rig, 50);
    await dispatcher.webhooks.delete(webhook!.id);
    const deletedAt = Date.now();
    await rig.worker();
    await pause(3_000);
    const after = rig.arrivals();
    const toOld = after.filter(({ path, at }) => path !== '/moved' && at > changedAt + 1_000).length;
    const late = after.filter(({ at }) => at > deletedAt + 1_000).length;
    return [
      atLeast('to the new address', after.filter(({ path }) => path === '/moved').length, 1),
      atMost('to the old address after a second', toOld, 0),
      atMost('to the deleted webhook after a second', late, 0),
      atLeast('finished', (await rig.settled(1_000)) ? 1 : 0, 1),
    ];
  },
};

/** Runs a worker until the receiver has got this many more requests. */
async function deliverSome(rig: Rig, count: number): Promise<void> {
  const before = rig.arrivals().length;
  const worker = await rig.worker({ concurrency: 5 });
  const deadline = Date.now() + 10_000;
  while (rig.arrivals().length < before + count && Date.now() < deadline) await pause(20);
  worker.kill('SIGKILL');
  await worker.exited;
}
