import assert from 'node:assert/strict';
import { type EventFilter, firstEventId } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { pagesOf } from './pages.js';
import {
  acme,
  asRead,
  claim,
  deliveriesOf,
  idsOf,
  minuteMs,
  newEvent,
  newEventId,
  newEvents,
  one,
  oneDelivery,
  publish,
} from './sample.js';

type By<Filter> = Omit<Filter, 'limit' | 'cursor'>;

const eventIdsBy = async ({ storage }: StorageUnderTest, filter: By<EventFilter>): Promise<string[]> =>
  idsOf((await pagesOf((page) => storage.log.events(acme, { ...filter, ...page }))).flat());

export const logRules: readonly StorageRule[] = topic<StorageUnderTest>('log', {
  'an empty log is one empty page, and an unknown delivery has no attempts': async (under) => {
    const { log } = under.storage;
    same(await log.events(acme, { limit: 10 }), { items: [], nextCursor: null });
    same(await log.deliveries(acme, { limit: 10 }), { items: [], nextCursor: null });
    same(await log.attempts(acme, `dlv_${'0'.repeat(32)}`), []);
  },

  'an event is read back as it was published': async ({ storage }) => {
    const events = [
      newEvent({
        occurredAt: new Date('9999-12-31T23:59:59.999Z'),
        namespaceId: '__proto__',
        subject: { type: 'constructor', id: "o'1 %_\\ 📯" },
        cacheScope: '{"z":[1.10,null],"a":"\\u0000"}',
        idempotencyKey: 'k',
        fingerprint: 'f',
      }),
      newEvent({ occurredAt: new Date(0), subject: { type: 'order', id: 'o'.repeat(200) } }),
      newEvent({ namespaceId: 'n'.repeat(200), cacheScope: '{}' }),
    ];
    await publish(storage, ...events);
    for (const event of events) {
      same((await storage.log.events(acme, { id: event.id, limit: 10 })).items, [asRead(event)]);
    }
  },

  'events are found by id and by type, and by both': async (under) => {
    const { storage, advance } = under;
    const [paid, created, other] = [
      newEvent({ type: 'order.paid' }),
      newEvent({ type: 'order.created' }),
      newEvent({ type: 'order.paid' }),
    ];
    for (const event of [paid, created, other]) {
      await publish(storage, event);
      await advance(minuteMs);
    }
    assert.deepEqual(await eventIdsBy(under, { id: created.id }), [created.id]);
    assert.deepEqual(await eventIdsBy(under, { type: 'order.paid' }), [other.id, paid.id]);
    assert.deepEqual(await eventIdsBy(under, { id: paid.id, type: 'order.paid' }), [paid.id]);
    for (const filter of [
      { id: paid.id, type: 'order.created' },
      { id: newEventId() },
      { type: 'order.*' },
      { type: 'Order.paid' },
      { type: 'order_paid' },
    ]) {
      assert.deepEqual(await eventIdsBy(under, filter), [], JSON.stringify(filter));
    }
  },

  'a range has the events from its first id, inclusive, to its end, exclusive': async (under) => {
    const events = newEvents(6);
    for (const [i, event] of events.entries()) {
      await publish(under.storage, { ...event, type: i % 2 === 0 ? 'order.paid' : 'order.created' });
    }
    const ids = idsOf(events);
    const [past, future] = [firstEventId(0), newEventId()];
    const ranges: [By<EventFilter>, string[]][] = [
      [{ fromEventId: ids[2]! }, ids.slice(2)],
      [{ beforeEventId: ids[2]! }, ids.slice(0, 2)],
      [{ fromEventId: ids[1]!, beforeEventId: ids[4]! }, ids.slice(1, 4)],
      // Applications pass bounds that are not ids of events.
      [{ fromEventId: ids[1]!.slice(0, 12), beforeEventId: ids[4]!.slice(0, 12) }, ids.slice(1, 4)],
      [{ fromEventId: past, beforeEventId: future }, ids],
      [{ fromEventId: future }, []],
      [{ beforeEventId: past }, []],
      [{ fromEventId: ids[4]!, beforeEventId: ids[1]! }, []],
      [{ fromEventId: ids[3]!, beforeEventId: ids[3]! }, []],
      [{ fromEventId: ids[1]!, type: 'order.paid' }, [ids[2]!, ids[4]!]],
      [{ fromEventId: ids[1]!, id: ids[1]! }, [ids[1]!]],
      [{ fromEventId: ids[2]!, id: ids[1]! }, []],
      [{ beforeEventId: ids[1]!, id: ids[1]! }, []],
    ];
    for (const [filter, wanted] of ranges) {
      const newestFirst = [...wanted].reverse();
      for (const limit of [1, 2, 9]) {
        const pages = await pagesOf((page) => under.storage.log.events(acme, { ...filter, ...page }), limit);
        assert.deepEqual(idsOf(pages.flat()), newestFirst, `${JSON.stringify(filter)} by ${limit}`);
        assert.equal(pages.length, Math.max(1, Math.ceil(wanted.length / limit)));
      }
    }
  },

  'reading the log changes nothing': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    await deliveriesOf(storage);
    await storage.log.attempts(acme, deliveryId);
    assert.equal(one(await claim(storage)).attempt, 1);
  },
});
