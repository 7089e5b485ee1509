import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import type { WebhookChange, WebhookRecord } from '@posthorn/core/storage';
import { ok, rejectsWith, same } from '../assertions.js';
import { topic } from '../rule.js';
import { fullWebhook } from './full-webhook.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { oddTexts } from './odd-values.js';
import { acme, globex, hourMs, minuteMs, newBinding, newWebhook, newWebhookId } from './sample.js';

const changes: Readonly<Record<string, WebhookChange>> = {
  name: { name: 'Invoices' },
  eventTypes: { eventTypes: ['invoice.*', 'order.created'] },
  channels: { channels: [newBinding({ channel: 'slack', configs: null })] },
  isActive: { isActive: false },
  disabledReason: { disabledReason: 'answered 410: "gone\u0000 für immer" 📯 \ud800' },
  secrets: { secrets: [{ key: 'whsec_plJ3nmyCDGBKInavdOK15jslMfKQ9r8GK', expiresAt: null }] },
};

async function walkAll(
  storage: StorageAdapter,
  betweenPages?: () => Promise<void>,
): Promise<WebhookRecord[]> {
  const seen: WebhookRecord[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await storage.webhooks.list(undefined, {
      limit: 2,
      ...(cursor !== undefined && { cursor }),
    });
    ok(page.items.length <= 2, 'a page must not exceed its limit');
    seen.push(...page.items);
    if (page.nextCursor === null) return seen;
    cursor = page.nextCursor;
    await betweenPages?.();
  }
}

export const webhookRules: readonly StorageRule[] = topic<StorageUnderTest>('webhooks', {
  'create stores every field as given, as version 1': async ({ storage }) => {
    const given = fullWebhook();
    const created = await storage.webhooks.create(given);
    const { createdAt } = created;
    same(created, { ...given, disabledReason: null, version: 1, createdAt, updatedAt: createdAt });
    same(await storage.webhooks.get(acme, given.id), created);
  },

  "timestamps come from the storage's clock": async ({ storage, advance }) => {
    const first = await storage.webhooks.create(newWebhook());
    await advance(hourMs);
    const second = await storage.webhooks.create(newWebhook());
    const passed = second.createdAt.getTime() - first.createdAt.getTime();
    ok(
      passed >= hourMs && passed < hourMs + minuteMs,
      `the clock was advanced by an hour, and the timestamps differ by ${passed} ms`,
    );
  },

  'get without a tenant finds a webhook of any tenant by its id, until it is deleted': async ({
    storage,
  }) => {
    const created = await storage.webhooks.create(newWebhook({ tenantId: globex }));
    await storage.webhooks.create(newWebhook());
    same(await storage.webhooks.get(undefined, created.id), created);
    assert.equal(await storage.webhooks.get(undefined, newWebhookId()), undefined);
    await storage.webhooks.delete(acme, created.id);
    same(await storage.webhooks.get(undefined, created.id), created);
    await storage.webhooks.delete(globex, created.id);
    assert.equal(await storage.webhooks.get(undefined, created.id), undefined);
  },

  'create rejects an id that is taken, and the existing webhook stays unchanged': async ({ storage }) => {
    const taken = await storage.webhooks.create(newWebhook());
    await rejectsWith('conflict', storage.webhooks.create(newWebhook({ id: taken.id, name: 'Thief' })));
    same(await storage.webhooks.get(acme, taken.id), taken);
  },

  'create rejects an id that another tenant uses': async ({ storage }) => {
    const taken = await storage.webhooks.create(newWebhook());
    await rejectsWith('conflict', storage.webhooks.create(newWebhook({ id: taken.id, tenantId: globex })));
    same(await storage.webhooks.get(acme, taken.id), taken);
    assert.equal(await storage.webhooks.get(globex, taken.id), undefined);
  },

  'get finds nothing if there is no such webhook': async ({ storage }) => {
    assert.equal(await storage.webhooks.get(acme, newWebhookId()), undefined);
  },

  'update writes the given field, leaves the others, and adds one to the version': async ({ storage }) => {
    for (const [field, change] of Object.entries(changes)) {
      const before = await storage.webhooks.create(newWebhook());
      const after = await storage.webhooks.update(acme, before.id, 1, change);
      same(after, { ...before, ...change, version: 2, updatedAt: after?.updatedAt }, `changing ${field}`);
      same(await storage.webhooks.get(acme, before.id), after);
    }
  },

  'disabledReason stays until an update gives another value, and null is a value': async ({ storage }) => {
    const { id } = await storage.webhooks.create(newWebhook());
    const disabledReason = 'answered 410';
    const reasons = [];
    for (const [i, change] of [
      { isActive: false, disabledReason },
      { name: 'Renamed' },
      { isActive: true, disabledReason: null },
    ].entries()) {
      await storage.webhooks.update(acme, id, i + 1, change);
      const [listed] = (await storage.webhooks.list(acme, { limit: 1 })).items;
      same(listed, await storage.webhooks.get(acme, id));
      reasons.push(listed?.disabledReason);
    }
    same(reasons, [disabledReason, disabledReason, null]);
  },

  'disabledReason comes back unchanged from every call': async ({ storage }) => {
    const { id } = await storage.webhooks.create(newWebhook());
    for (const [i, disabledReason] of oddTexts.entries()) {
      const updated = await storage.webhooks.update(acme, id, i + 1, { disabledReason });
      assert.equal(updated?.disabledReason, disabledReason);
      const listed = (await storage.webhooks.list(acme, { limit: 1 })).items;
      for (const read of [await storage.webhooks.get(acme, id), ...listed, ...(await walkAll(storage))]) {
        assert.equal(read?.disabledReason, disabledReason);
      }
    }
  },

  'update writes several fields at once': async ({ storage }) => {
    const before = await storage.webhooks.create(newWebhook());
    const change = Object.assign({}, ...Object.values(changes)) as WebhookChange;
    const after = await storage.webhooks.update(acme, before.id, 1, change);
    same(after, { ...before, ...change, version: 2, updatedAt: after?.updatedAt });
  },

  'update writes nothing if the version differs': async ({ storage }) => {
    const { id } = await storage.webhooks.create(newWebhook());
    const second = await storage.webhooks.update(acme, id, 1, { name: 'Second' });
    for (const version of [0, 1, 3]) {
      assert.equal(await storage.webhooks.update(acme, id, version, { name: 'Late' }), undefined);
    }
    same(await storage.webhooks.get(acme, id), second);
    assert.equal((await storage.webhooks.update(acme, id, 2, { name: 'Third' }))?.version, 3);
  },

  'update creates nothing if there is no such webhook': async ({ storage }) => {
    const id = newWebhookId();
    assert.equal(await storage.webhooks.update(acme, id, 1, { name: 'Unknown' }), undefined);
    assert.equal(await storage.webhooks.get(acme, id), undefined);
  },

  'updatedAt changes if a field other than the secrets is given, and createdAt never changes': async ({
    storage,
    advance,
  }) => {
    for (const [field, change] of Object.entries(changes)) {
      const before = await storage.webhooks.create(newWebhook());
      await advance(hourMs);
      const after = await storage.webhooks.update(acme, before.id, 1, change);
      ok(after, `${field} cannot be changed`);
      same(after.createdAt, before.createdAt, `createdAt after a change of ${field}`);
      const moved = after.updatedAt.getTime() - before.updatedAt.getTime();
      if (field === 'secrets') assert.equal(moved, 0, 'an update of the secrets alone must keep updatedAt');
      else ok(moved >= hourMs && moved < hourMs + minuteMs, `${field} moved updatedAt by ${moved} ms`);
    }
  },

  'upkeep writes a new version, and keeps updatedAt': async ({ storage, advance }) => {
    for (const [field, change] of Object.entries(changes)) {
      const before = await storage.webhooks.create(newWebhook());
      await advance(hourMs);
      const after = await storage.webhooks.update(acme, before.id, 1, change, { keepUpdatedAt: true });
      same(after, { ...before, ...change, version: 2 }, `upkeep of ${field}`);
      same(await storage.webhooks.get(acme, before.id), after);
    }
  },

  'list without a tenant returns the webhooks of every tenant, each once, page by page': async ({
    storage,
  }) => {
    const before = new Set((await walkAll(storage)).map(({ id }) => id));
    const made = [];
    for (const tenantId of [acme, globex, acme, globex, acme]) {
      made.push(await storage.webhooks.create(newWebhook({ tenantId })));
    }
    const after = (await walkAll(storage)).filter(({ id }) => !before.has(id));
    const byId = (one: WebhookRecord, other: WebhookRecord) => (one.id < other.id ? -1 : 1);
    same(after.sort(byId), made.sort(byId));
  },

  'list without a tenant misses no webhook when others are created and deleted between its pages': async ({
    storage,
  }) => {
    const made = [];
    for (let i = 0; i < 5; i++) made.push((await storage.webhooks.create(newWebhook())).id);
    const [goes, ...stay] = made;
    let isFirst = true;
    const seen = await walkAll(storage, async () => {
      if (!isFirst) return;
      isFirst = false;
      await storage.webhooks.delete(acme, goes!);
      await storage.webhooks.create(newWebhook());
    });
    const ids = seen.map(({ id }) => id);
    ok(
      stay.every((id) => ids.filter((other) => other === id).length === 1),
      'each webhook that stays must be listed once',
    );
  },

  'updatedAt changes if secrets and another field are given': async ({ storage, advance }) => {
    const before = await storage.webhooks.create(newWebhook());
    await advance(hourMs);
    const after = await storage.webhooks.update(acme, before.id, 1, { ...changes.secrets, ...changes.name });
    const moved = after ? after.updatedAt.getTime() - before.updatedAt.getTime() : 0;
    ok(moved >= hourMs, `updatedAt moved by ${moved} ms`);
  },

  'delete resolves to true once, and then to false': async ({ storage }) => {
    const { id } = await storage.webhooks.create(newWebhook());
    assert.equal(await storage.webhooks.delete(acme, id), true);
    assert.equal(await storage.webhooks.delete(acme, id), false);
    assert.equal(await storage.webhooks.delete(acme, newWebhookId()), false);
  },

  'a deleted webhook is not found, listed or updated': async ({ storage }) => {
    const gone = await storage.webhooks.create(newWebhook());
    const kept = await storage.webhooks.create(newWebhook());
    await storage.webhooks.delete(acme, gone.id);
    assert.equal(await storage.webhooks.get(acme, gone.id), undefined);
    assert.equal(await storage.webhooks.update(acme, gone.id, 1, { name: 'Ghost' }), undefined);
    same((await storage.webhooks.list(acme, { limit: 10 })).items, [kept]);
  },
});
