import assert from 'node:assert/strict';
import { ok, rejectsWith } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { strangeCursors } from './odd-values.js';
import { nextCursorOf, pagesOf } from './pages.js';
import {
  acme,
  claim,
  deliveriesOf,
  eventsOf,
  globex,
  idsOf,
  minuteMs,
  newBinding,
  newEvent,
  newEvents,
  newWebhook,
  one,
  publish,
  result,
  sorted,
} from './sample.js';

/** The order of the log's pages, and the stability of their cursors. */
export const logPageRules: readonly StorageRule[] = topic<StorageUnderTest>('log', {
  'the newest event and its deliveries come first': async (under) => {
    const { storage, advance } = under;
    await storage.webhooks.create(newWebhook());
    const ids: string[] = [];
    for (const event of newEvents(4)) {
      ids.unshift(event.id);
      await publish(storage, event);
      await advance(minuteMs);
    }
    // Later changes to a delivery do not move it.
    await storage.deliveries.settle([result(one(await claim(storage, { limit: 1 })), 'delivered')]);
    assert.deepEqual(idsOf(await eventsOf(storage)), ids);
    assert.deepEqual(
      (await deliveriesOf(storage)).map(({ eventId }) => eventId),
      ids,
    );
  },

  'events and deliveries are ordered by event id, the latest first, in whatever order they were stored':
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

  'an event that is stored between two pages with an earlier id is on a later page or on none': async (
    under,
  ) => {
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

  'a cursor that did not come from a page is refused': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, ...newEvents(3));
    for (const cursor of strangeCursors) {
      await rejectsWith('invalid_option', storage.log.events(acme, { limit: 1, cursor }), cursor);
      await rejectsWith('invalid_option', storage.log.deliveries(acme, { limit: 1, cursor }), cursor);
    }
  },

  'pages have everything once, and the last one has no cursor even if it is full': async ({ storage }) => {
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

  'publishing between two pages moves nothing': async ({ storage, advance }) => {
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

  'a filtered page counts only matching rows': async ({ storage }) => {
    for (let i = 0; i < 12; i++) {
      await publish(storage, newEvent({ type: i % 3 === 0 ? 'order.paid' : 'order.created' }));
    }
    const pages = await pagesOf((page) => storage.log.events(acme, { type: 'order.paid', ...page }), 2);
    assert.deepEqual(
      pages.map(({ length }) => length),
      [2, 2],
    );
  },

  'a cursor of another tenant shows nothing of that tenant': async ({ storage }) => {
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
      // A storage may refuse it.
      const page = await query(acme, { cursor }).catch(() => undefined);
      ok(!page || page.items.every(({ tenantId }) => tenantId === acme), 'it shows rows of the other tenant');
    }
  },
});
