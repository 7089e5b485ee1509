import { once } from 'node:events';
import { atLeast, atMost, clean, pause, type Rig } from '../rig.js';
import type { Scenario } from '../scenario.js';

const leaseMs = 2_000;
const pollMs = 200;
const keys = 20;
const perSecond = 100;

/** Twenty ordering keys, many per worker at a time, while workers are killed and sessions are terminated. */
export const inOrder: Scenario = {
  id: 'ORD',
  what: 'ordering keys, while workers are killed and sessions are terminated',
  async run(rig, { size }) {
    await rig.engine(['order.created']);
    await rig.behave({ delayMs: 20, failShare: 0.03 });
    const workers = await Promise.all([0, 1, 2].map(() => rig.worker({ leaseMs, pollMs })));
    const rounds = Math.max(3, Math.round(15 * size));
    const count = rounds * 2 * perSecond;
    const plan = { count, perSecond, types: ['order.created'], orderingKeys: keys, works: true };
    const publisher = rig.publisher(plan, { leaseMs, pollMs });
    const told = once(publisher, 'message') as Promise<[{ refused: number }]>;
    for (let round = 0; round < rounds; round++) {
      await pause(2_000);
      const at = round % workers.length;
      workers[at]!.kill('SIGKILL');
      workers[at] = await rig.worker({ leaseMs, pollMs });
      await pause(500);
      await rig.dropSessions();
    }
    const [{ refused }] = await told;
    const isSettled = await rig.settled(60_000);
    const ledger = rig.ledger();
    return [
      ...clean(ledger),
      atMost('out of order', await outOfOrder(rig), 0),
      atMost('duplicates', ledger.duplicates, rounds * 2 * keys),
      atLeast('acknowledged', ledger.acknowledged, count - refused),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

/** How many deliveries arrived before one with the same key that was acknowledged earlier. */
async function outOfOrder(rig: Rig): Promise<number> {
  const places = new Map<string, number>();
  for (const { id, ok } of rig.arrivals()) if (ok && !places.has(id)) places.set(id, places.size);
  const { rows } = await rig.pool.query('select id, ordering_key as key from posthorn.events');
  const keyOf = new Map<string, string>(rows.map(({ id, key }) => [id, key]));
  const latest = new Map<string, number>();
  let count = 0;
  for (const id of rig.acknowledged()) {
    const key = keyOf.get(id)!;
    const place = places.get(id) ?? 0;
    const before = latest.get(key) ?? 0;
    if (place < before) count++;
    latest.set(key, Math.max(place, before));
  }
  return count;
}
