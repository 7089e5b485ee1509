import { type Arrival, atLeast, atMost, pause } from '../rig.js';
import type { Scenario } from '../scenario.js';

const leaseMs = 2_000;
const pollMs = 200;
const perRound = 100;
const maxEvents = 40;
/** Fewer events than a digest may have, so that full digests are split. */
const receiverBytes = 8_000;
const type = 'order.created';

/** Digests are split, and their windows change, appear and disappear, while workers are killed. */
export const changingDigests: Scenario = {
  id: 'DIV',
  what: 'digests that are too large for their receiver, with windows that change, while workers are killed',
  async run(rig, { size }) {
    const { dispatcher } = await rig.engine();
    const configs = { url: `http://127.0.0.1:${rig.receiverPort}/gathered` };
    const windows = [undefined, '3s', '1s', '2s'] as const;
    const channels = (window: (typeof windows)[number]) => [
      { channel: 'webhook', configs, ...(window && { digest: { window, maxEvents } }) },
    ];
    const { id } = await dispatcher.webhooks.create({
      name: 'w',
      eventTypes: [type],
      channels: channels('3s'),
    });
    await rig.behave({ delayMs: 20, failShare: 0.03, maxBytes: receiverBytes });
    const workers = await Promise.all([0, 1, 2].map(() => rig.worker({ leaseMs, pollMs })));
    const rounds = Math.max(6, Math.round(20 * size));
    const acknowledged: string[] = [];
    // Some events are published under each window, however long the start of a process takes.
    const publishSome = async (): Promise<void> => {
      for (let n = 0; n < perRound; n += 10) {
        const events = Array.from({ length: 10 }, (_, i) => ({
          type,
          payload: { n: n + i, text: 'x'.repeat(150) },
        }));
        acknowledged.push(...(await dispatcher.dispatchMany(events)).map(({ eventId }) => eventId));
        await pause(100);
      }
    };
    await publishSome();
    for (let round = 0; round < rounds; round++) {
      await pause(500 + Math.random() * 1_000);
      const next = round % workers.length;
      workers[next]!.kill('SIGKILL');
      const [worker] = await Promise.all([rig.worker({ leaseMs, pollMs }), publishSome()]);
      workers[next] = worker;
      await dispatcher.webhooks.update(id, { channels: channels(windows[round % windows.length]) });
    }
    const isSettled = await rig.settled(60_000);
    const arrivals = rig.arrivals().filter(({ path }) => path === '/gathered');
    const accepted = arrivals.filter(({ ok }) => ok);
    const taken = namesByEvent(accepted);
    const sizes = arrivals.map(({ events = [] }) => events.length);
    // A digest of forty is split at most six times, and one half keeps its name.
    const divisions = Math.ceil(Math.log2(maxEvents));
    return [
      atMost('lost', acknowledged.filter((event) => !taken.has(event)).length, 0),
      atMost('events accepted under several names', severalOf(taken, 1), 0),
      atMost(
        'events in more digests than splits explain',
        severalOf(namesByEvent(arrivals), 1 + divisions),
        0,
      ),
      atMost('events in a digest', Math.max(0, ...sizes), maxEvents),
      atLeast('digests taken', accepted.filter(({ events }) => events).length, rounds),
      atLeast('digests refused as too large', arrivals.filter(({ isTooLarge }) => isTooLarge).length, 1),
      atLeast('events that went alone', accepted.filter(({ events }) => !events).length, 1),
      atLeast('finished', isSettled ? 1 : 0, 1),
    ];
  },
};

/** The names under which each event arrived: those of digests, or its own. */
function namesByEvent(arrivals: readonly Arrival[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const { id, events = [id] } of arrivals) {
    for (const event of events) names.set(event, (names.get(event) ?? new Set()).add(id));
  }
  return names;
}

const severalOf = (names: ReadonlyMap<string, ReadonlySet<string>>, most: number): number =>
  [...names.values()].filter(({ size }) => size > most).length;
