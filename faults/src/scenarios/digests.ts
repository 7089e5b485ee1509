import { once } from 'node:events';
import { type Arrival, atLeast, atMost, pause } from '../rig.js';
import type { Scenario } from '../scenario.js';

const leaseMs = 2_000;
const pollMs = 200;
const perSecond = 100;
const type = 'order.created';
const digest = { window: '1s', maxEvents: 20 } as const;

/**
 * A digest, and an escalation to a second digest after a receiver that is down has failed, while workers are killed.
 */
export const digests: Scenario = {
  id: 'DIG',
  what: 'digests, and an escalation to a digest, half in transactions, while workers are killed',
  async run(rig, { size }) {
    const { dispatcher } = await rig.engine();
    await rig.pool.query('create table orders (n integer)');
    const at = (path: string) => ({
      channel: 'webhook',
      configs: { url: `http://127.0.0.1:${rig.receiverPort}/${path}` },
    });
    const { id, channels } = await dispatcher.webhooks.create({
      name: 'w',
      eventTypes: [type],
      channels: [at('down')],
    });
    const onlyAfter = { channel: channels[0]!.id, failedAttempts: 2 };
    await dispatcher.webhooks.update(id, {
      channels: [channels[0]!, { ...at('gathered'), digest }, { ...at('begun'), digest, onlyAfter }],
    });
    await rig.behave({ delayMs: 20, failShare: 0.03 });
    const workers = await Promise.all([0, 1, 2].map(() => rig.worker({ leaseMs, pollMs })));
    const rounds = Math.max(4, Math.round(20 * size));
    const plan = { count: rounds * perSecond, perSecond: perSecond / 2, types: [type] };
    const publishers = [rig.publisher(plan), rig.publisher({ ...plan, inTransactions: true })];
    const told = Promise.all(publishers.map((one) => once(one, 'message')));
    for (let round = 0; round < rounds; round++) {
      await pause(500 + Math.random() * 1_500);
      const next = round % workers.length;
      workers[next]!.kill('SIGKILL');
      workers[next] = await rig.worker({ leaseMs, pollMs });
    }
    await told;
    const isSettled = await rig.settled(60_000);
    const acknowledged = rig.acknowledged();
    const arrivals = rig.arrivals().filter(({ events }) => events);
    const begun = await rig.pool.query(`
      select count(*)::int as events, count(distinct event_id)::int as once from posthorn.attempts
      where number = 1 and binding_id in (
        select c ->> 'id' from posthorn.webhooks w, json_array_elements(w.channels::json) c where c -> 'onlyAfter' is not null)`);
    return [
      ...['/gathered', '/begun'].flatMap((path) => judged(path, acknowledged, arrivals)),
      atMost('escalations that began twice', begun.rows[0].events - begun.rows[0].once, 0),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

/** Every event is in exactly one digest, and each digest is the same in every attempt. */
function judged(path: string, acknowledged: readonly string[], arrivals: readonly Arrival[]) {
  const digestsOf = new Map<string, Set<string>>();
  const bodiesOf = new Map<string, Set<string>>();
  const add = (sets: Map<string, Set<string>>, key: string, value: string) =>
    sets.set(key, (sets.get(key) ?? new Set()).add(value));
  const own = arrivals.filter((arrival) => arrival.path === path);
  for (const { id, sha, events = [] } of own) {
    add(bodiesOf, id, sha);
    for (const event of events) add(digestsOf, event, id);
  }
  const delivered = new Set(own.filter(({ ok }) => ok).flatMap(({ events = [] }) => events));
  const several = (sets: Map<string, Set<string>>) =>
    [...sets.values()].filter(({ size }) => size > 1).length;
  const longest = Math.max(0, ...own.map(({ events = [] }) => events.length));
  return [
    atMost(`${path}: lost`, acknowledged.filter((id) => !delivered.has(id)).length, 0),
    atMost(`${path}: events in several digests`, several(digestsOf), 0),
    atMost(`${path}: digests that changed`, several(bodiesOf), 0),
    atMost(`${path}: events in a digest`, longest, digest.maxEvents),
    atLeast(`${path}: digests`, bodiesOf.size, acknowledged.length / digest.maxEvents),
  ];
}
