import assert from 'node:assert/strict';
import { type EventFilter, firstEventId } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { strangeCursors } from './odd-values.js';
import { nextCursorOf, pagesOf } from './pages.js';
import {
  acme,
  asRead,
  claim,
  deliveriesOf,
  eventsOf,
  globex,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEventId,
  newEvents,
  newWebhook,
  one,
  oneDelivery,
  publish,
  rejectsWith,
  result,
  sorted,
} from './sample.js';

type By<Filter> = Omit<Filter, 'limit' | 'cursor'>;

const eventIdsBy = async ({ storage }: StorageUnderTest, filter: By<EventFilter>): Promise<string[]> =>
  idsOf((await pagesOf((page) => storage.log.events(acme, { ...filter, ...page }))).flat());

export const logRules: readonly StorageRule[] = topic<StorageUnderTest>('log', {
  'an empty log is one empty page, and a delivery that does not exist has no attempts': async (under) => {
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

  'the newest event and its deliveries come first': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const ids: string[] = [];
    for (const event of newEvents(4)) {
      ids.unshift(event.id);
      await publish(storage, event);
      await advance(minuteMs);
    }
    // What happens to a delivery later does not move it.
    await storage.deliveries.settle([result(one(await claim(storage, { limit: 1 })), 'delivered')]);
    assert.deepEqual(idsOf(await eventsOf(storage)), ids);
    assert.deepEqual(
      (await deliveriesOf(storage)).map(({ eventId }) => eventId),
      ids,
    );
  },

  "events and deliveries come by the event's id, the latest first, in whatever order they were stored":
    async (under) => {
      const { storage } = under;
      await storage.webhooks.create(newWebhook({ channels: [newBinding(), newBinding()] }));
      const events = newEvents(9);
      for (const i of [4, 0, 8]) await publish(storage, events[i]!);
      await publish(storage, ...[7, 2, 5].map((i) => events[i]!));
      await publish(storage, ...[6, 3, 1].map((i) => events[i]!));
      const ids = idsOf(events).toReversed();
      const ofDeliveries = ids.flatMap((id) => [id, id]);
      for (const limit of [1, 2, 5, 100]) {
        const listed = await pagesOf((page) => storage.log.events(acme, page), limit);
        assert.deepEqual(idsOf(listed.flat()), ids, `events in pages of ${limit}`);
        const deliveries = (await pagesOf((page) => storage.log.deliveries(acme, page), limit)).flat();
        assert.deepEqual(
          deliveries.map(({ eventId }) => eventId),
          ofDeliveries,
          `deliveries in pages of ${limit}`,
        );
        assert.equal(new Set(idsOf(deliveries)).size, 18);
      }
    },

  'what is stored between two pages, with an id of before, is on a later page or on none': async (under) => {
    const { storage } = under;
    await storage.webhooks.create(newWebhook());
    const events = newEvents(5);
    const [late, ...stored] = [events[1]!, events[0]!, ...events.slice(2)];
    await publish(storage, ...stored);
    const ofEvents = await storage.log.events(acme, { limit: 2 });
    const ofDeliveries = await storage.log.deliveries(acme, { limit: 2 });
    await publish(storage, late!);
    const expected = [events[2]!.id, events[1]!.id, events[0]!.id];
    const restOfEvents = await storage.log.events(acme, { limit: 9, cursor: nextCursorOf(ofEvents) });
    assert.deepEqual(idsOf(restOfEvents.items), expected);
    const cursor = nextCursorOf(ofDeliveries);
    const restOfDeliveries = await storage.log.deliveries(acme, { limit: 9, cursor });
    assert.deepEqual(
      restOfDeliveries.items.map(({ eventId }) => eventId),
      expected,
    );
  },

  'a cursor that no page came with is refused': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(3));
    for (const cursor of strangeCursors) {
      await rejectsWith('invalid_option', storage.log.events(acme, { limit: 1, cursor }), cursor);
      await rejectsWith('invalid_option', storage.log.deliveries(acme, { limit: 1, cursor }), cursor);
    }
  },

  'pages hold everything once, and the last one has no cursor even if it is full': async ({ storage }) => {
    await storage.webhooks.create(newWebhook({ channels: [newBinding(), newBinding()] }));
    const events = newEvents(12);
    await publish(storage, ...events.slice(0, 5));
    await publish(storage, ...events.slice(5));
    for (const limit of [1, 5, 6, 12, 24]) {
      const ofEvents = await pagesOf((page) => storage.log.events(acme, page), limit);
      assert.deepEqual(sorted(idsOf(ofEvents.flat())), sorted(idsOf(events)));
      assert.equal(ofEvents.length, Math.ceil(12 / limit), `12 events in pages of ${limit}`);
      const ofDeliveries = await pagesOf((page) => storage.log.deliveries(acme, page), limit);
      assert.equal(new Set(idsOf(ofDeliveries.flat())).size, 24);
      assert.equal(ofDeliveries.flat().length, 24);
      assert.equal(ofDeliveries.length, Math.ceil(24 / limit), `24 deliveries in pages of ${limit}`);
    }
  },

  'what is published between two pages moves nothing': async ({ storage, advance }) => {
    await storage.webhooks.create(newWebhook());
    for (const event of newEvents(4)) {
      await publish(storage, event);
      await advance(minuteMs);
    }
    const [events, deliveries] = [await eventsOf(storage), await deliveriesOf(storage)];
    const firstEvents = await storage.log.events(acme, { limit: 2 });
    const firstDeliveries = await storage.log.deliveries(acme, { limit: 2 });
    await publish(storage, newEvent());
    const restOfEvents = await storage.log.events(acme, { limit: 9, cursor: nextCursorOf(firstEvents) });
    const restOfDeliveries = await storage.log.deliveries(acme, {
      limit: 9,
      cursor: nextCursorOf(firstDeliveries),
    });
    assert.deepEqual(idsOf(restOfEvents.items), idsOf(events.slice(2)));
    assert.deepEqual(idsOf(restOfDeliveries.items), idsOf(deliveries.slice(2)));
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

  'a filtered page counts only what passes': async ({ storage }) => {
    for (let i = 0; i < 12; i++) {
      await publish(storage, newEvent({ type: i % 3 === 0 ? 'order.paid' : 'order.created' }));
    }
    const pages = await pagesOf((page) => storage.log.events(acme, { type: 'order.paid', ...page }), 2);
    assert.deepEqual(
      pages.map(({ length }) => length),
      [2, 2],
    );
  },

  'events of a range are those from its first id on, and before its end': async (under) => {
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
      // What the application gives are bounds that no event has.
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

  "a cursor of another tenant's shows nothing of theirs": async ({ storage }) => {
    for (const tenantId of [acme, globex]) {
      await storage.webhooks.create(newWebhook({ tenantId }));
      await storage.webhooks.create(newWebhook({ tenantId }));
      await publish(storage, ...newEvents(3, { tenantId }));
    }
    const queries = [
      (tenantId: string, cursor = {}) => storage.webhooks.list(tenantId, { limit: 1, ...cursor }),
      (tenantId: string, cursor = {}) => storage.log.events(tenantId, { limit: 1, ...cursor }),
      (tenantId: string, cursor = {}) => storage.log.deliveries(tenantId, { limit: 1, ...cursor }),
    ];
    for (const query of queries) {
      const cursor = nextCursorOf(await query(globex));
      // Whether it is refused is the storage's business.
      const page = await query(acme, { cursor }).catch(() => undefined);
      ok(!page || page.items.every(({ tenantId }) => tenantId === acme), 'it shows something of theirs');
    }
  },

  'a log that is read changes nothing': async ({ storage }) => {
    const { deliveryId } = await oneDelivery(storage);
    await deliveriesOf(storage);
    await storage.log.attempts(acme, deliveryId);
    assert.equal(one(await claim(storage)).attempt, 1);
  },
});
