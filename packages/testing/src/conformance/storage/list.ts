import assert from 'node:assert/strict';
import type { WebhookFilter, WebhookRecord } from '@posthorn/core/storage';
import { rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { strangeCursors } from './odd-values.js';
import { nextCursorOf, pagesOf } from './pages.js';
import { acme, globex, idsOf, minuteMs, newWebhook } from './sample.js';

/** Creates one webhook a minute. Returns them newest first, as a list does. */
async function createMany(
  { storage, advance }: StorageUnderTest,
  all: readonly Partial<WebhookRecord>[],
): Promise<WebhookRecord[]> {
  const created: WebhookRecord[] = [];
  for (const overrides of all) {
    created.unshift(await storage.webhooks.create(newWebhook(overrides)));
    await advance(minuteMs);
  }
  return created;
}

type By = Omit<WebhookFilter, 'limit' | 'cursor'>;

const pagesBy = (
  { storage }: StorageUnderTest,
  filter: By,
  limit: number,
): Promise<readonly (readonly WebhookRecord[])[]> =>
  pagesOf((page) => storage.webhooks.list(acme, { ...filter, ...page }), limit);

const listBy = async (under: StorageUnderTest, filter: By): Promise<string[]> =>
  idsOf((await pagesBy(under, filter, 100)).flat());

export const listRules: readonly StorageRule[] = topic<StorageUnderTest>('list', {
  'an empty list is one empty page': async ({ storage }) => {
    same(await storage.webhooks.list(acme, { limit: 10 }), { items: [], nextCursor: null });
  },

  'the newest webhook comes first, also after an update of an older one': async (under) => {
    const created = await createMany(under, [{}, {}, {}]);
    const oldest = created.at(-1)!;
    await under.storage.webhooks.update(acme, oldest.id, 1, { name: 'Changed' });
    assert.deepEqual(await listBy(under, {}), idsOf(created));
  },

  'pages have every webhook once, and the last one has no cursor even if it is full': async (under) => {
    const created = await createMany(under, [{}, {}, {}, {}, {}, {}]);
    for (const limit of [1, 2, 3, 4, 6]) {
      const pages = await pagesBy(under, {}, limit);
      same(pages.flat(), created, `in pages of ${limit}`);
      assert.equal(pages.length, Math.ceil(6 / limit), `six in pages of ${limit}`);
    }
  },

  'webhooks created at the same instant are each on one page': async (under) => {
    const created = await Promise.all(
      Array.from({ length: 10 }, () => under.storage.webhooks.create(newWebhook())),
    );
    const listed = idsOf((await pagesBy(under, {}, 3)).flat());
    assert.deepEqual(listed.sort(), idsOf(created).sort());
  },

  'creating or deleting a webhook between two pages moves no other': async (under) => {
    const { storage } = under;
    const created = await createMany(under, [{}, {}, {}, {}]);
    const first = await storage.webhooks.list(acme, { limit: 2 });
    await storage.webhooks.create(newWebhook());
    await storage.webhooks.delete(acme, first.items[1]!.id);
    const second = await storage.webhooks.list(acme, { limit: 2, cursor: nextCursorOf(first) });
    assert.deepEqual(idsOf(second.items), idsOf(created.slice(2)));
    assert.equal(second.nextCursor, null);
  },

  'reusing an id between two pages moves no other webhook, and the new one is the newest': async (under) => {
    const { storage } = under;
    const created = await createMany(under, [{}, {}, {}, {}, {}]);
    for (const i of [1, 0, 4]) {
      const first = await storage.webhooks.list(acme, { limit: 2 });
      const shown = idsOf(first.items);
      const { id } = created[i]!;
      await storage.webhooks.delete(acme, id);
      created.splice(i, 1);
      created.unshift(await storage.webhooks.create(newWebhook({ id })));
      const rest = await storage.webhooks.list(acme, { limit: 10, cursor: nextCursorOf(first) });
      const expected = idsOf(created).filter((one) => one !== id && !shown.includes(one));
      assert.deepEqual(idsOf(rest.items), expected, `number ${i} was deleted, and its id reused`);
      assert.equal(rest.nextCursor, null);
      assert.deepEqual(idsOf((await pagesBy(under, {}, 2)).flat()), idsOf(created));
    }
  },

  'a cursor that did not come from a page is refused': async ({ storage }) => {
    for (let i = 0; i < 3; i++) await storage.webhooks.create(newWebhook());
    for (const cursor of strangeCursors) {
      await rejectsWith('invalid_option', storage.webhooks.list(acme, { limit: 1, cursor }), cursor);
    }
  },

  'isActive filters': async (under) => {
    const [paused, active] = await createMany(under, [{ isActive: true }, { isActive: false }]);
    assert.deepEqual(await listBy(under, { isActive: true }), [active!.id]);
    assert.deepEqual(await listBy(under, { isActive: false }), [paused!.id]);
    assert.deepEqual(await listBy(under, {}), [paused!.id, active!.id]);
  },

  'keys filter webhooks that have any of them, each returned once': async (under) => {
    const [all, both, invoices, orders] = await createMany(under, [
      { eventTypes: ['order.*'] },
      { eventTypes: ['invoice.*', 'invoice.paid'] },
      { eventTypes: ['invoice.*', 'order.*'] },
      { eventTypes: ['*'] },
    ]);
    assert.deepEqual(await listBy(under, { keys: ['order.*'] }), [both!.id, orders!.id]);
    assert.deepEqual(await listBy(under, { keys: ['invoice.*', 'invoice.paid', 'order.*'] }), [
      both!.id,
      invoices!.id,
      orders!.id,
    ]);
    // A key is compared literally, never interpreted.
    assert.deepEqual(await listBy(under, { keys: ['order.created'] }), []);
    assert.deepEqual(await listBy(under, { keys: ['*'] }), [all!.id]);
    assert.deepEqual(await listBy(under, { keys: [] }), []);
  },

  'filters combine, and a page counts only matching webhooks': async (under) => {
    const created = await createMany(
      under,
      Array.from({ length: 12 }, (_, i) => ({
        isActive: i % 2 === 0,
        eventTypes: [i % 3 === 0 ? 'order.*' : 'invoice.*'],
        name: i < 6 ? 'Old' : 'New',
      })),
    );
    const passing = created.filter((one) => one.isActive && one.eventTypes.includes('invoice.*'));
    for (const [name, wanted] of [
      [{}, passing],
      [{ name: 'Old' }, passing.filter((one) => one.name === 'Old')],
    ] as const) {
      const pages = await pagesBy(under, { isActive: true, keys: ['invoice.*'], ...name }, 2);
      assert.deepEqual(idsOf(pages.flat()), idsOf(wanted));
      assert.equal(pages.length, Math.ceil(wanted.length / 2));
    }
  },

  'name filters by the exact name': async (under) => {
    const names = ['Orders', 'orders', 'Orders ', 'Ord', 'Orders', '%', '__proto__', 'O_ders'];
    const created = await createMany(
      under,
      names.map((name) => ({ name })),
    );
    for (const name of new Set(names)) {
      const wanted = created.filter((one) => one.name === name);
      assert.deepEqual(await listBy(under, { name }), idsOf(wanted), JSON.stringify(name));
    }
    assert.deepEqual(await listBy(under, { name: 'O%' }), []);
  },

  'a webhook is found by its new name, and no longer by the old one': async (under) => {
    const [webhook] = await createMany(under, [{ name: 'Old' }]);
    await under.storage.webhooks.update(acme, webhook!.id, 1, { name: 'New' });
    assert.deepEqual(await listBy(under, { name: 'Old' }), []);
    assert.deepEqual(await listBy(under, { name: 'New' }), [webhook!.id]);
  },

  'offset skips the newest webhooks, and the pages continue from there': async (under) => {
    const created = await createMany(under, [{}, {}, {}, {}, {}]);
    const { webhooks } = under.storage;
    for (const [offset, limit] of [
      [0, 2],
      [1, 2],
      [3, 2],
      [4, 5],
      [5, 1],
      [9, 1],
    ] as const) {
      const page = await webhooks.list(acme, { limit, offset });
      assert.deepEqual(idsOf(page.items), idsOf(created.slice(offset, offset + limit)), `offset ${offset}`);
      assert.equal(
        page.nextCursor !== null,
        offset + limit < 5,
        `a page after an offset of ${offset}, with a limit of ${limit}`,
      );
    }
    const first = await webhooks.list(acme, { limit: 1, offset: 1 });
    const next = await webhooks.list(acme, { limit: 9, cursor: nextCursorOf(first) });
    assert.deepEqual(idsOf(next.items), idsOf(created.slice(2)));
    const further = await webhooks.list(acme, { limit: 9, offset: 2, cursor: nextCursorOf(first) });
    assert.deepEqual(idsOf(further.items), idsOf(created.slice(4)));
  },

  'the total counts all matching webhooks, on every page': async (under) => {
    const { webhooks } = under.storage;
    const created = await createMany(under, [
      { isActive: true },
      { isActive: false },
      { isActive: true, name: 'Other' },
      { isActive: true, eventTypes: ['invoice.*'] },
    ]);
    await webhooks.create(newWebhook({ tenantId: globex }));
    const totals: [By, number][] = [
      [{}, 4],
      [{ offset: 1 }, 4],
      [{ offset: 9 }, 4],
      [{ isActive: true }, 3],
      [{ name: 'Other' }, 1],
      [{ keys: ['invoice.*'] }, 1],
      [{ isActive: false, keys: ['invoice.*'] }, 0],
    ];
    for (const [filter, total] of totals) {
      const page = await webhooks.list(acme, { limit: 1, withTotal: true, ...filter });
      assert.equal(page.total, total, JSON.stringify(filter));
    }
    const { nextCursor } = await webhooks.list(acme, { limit: 3 });
    const last = await webhooks.list(acme, { limit: 3, cursor: nextCursor!, withTotal: true });
    same(last, { items: [created.at(-1)], nextCursor: null, total: 4 });
    assert.equal((await webhooks.list(acme, { limit: 1 })).total, undefined);
  },
});
