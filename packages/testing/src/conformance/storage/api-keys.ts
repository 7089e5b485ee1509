import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  type ApiKeyRecord,
  type ApiKeyStore,
  isPosthornError,
  type NewApiKey,
  type Storage,
} from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { frozen } from '../frozen.js';
import { topic } from '../rule.js';
import { vandalise } from '../vandalise.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { oddTenants, strangers } from './isolation.js';
import { strangeCursors } from './odd-values.js';
import { nextCursorOf, pagesOf } from './pages.js';
import { acme, globex, hourMs, idsOf, minuteMs, newWebhookId, one, rejectsWith } from './sample.js';

function newApiKey(overrides: Partial<NewApiKey> = {}): NewApiKey {
  return {
    id: `key_${newWebhookId().slice(3)}`,
    tenantId: acme,
    name: 'Deployment',
    mode: 'live',
    scopes: ['webhooks:read', 'events:write'],
    expiresAt: null,
    hash: randomBytes(32).toString('base64url'),
    ...overrides,
  };
}

function apiKeysOf(storage: Storage<unknown>): ApiKeyStore {
  const { apiKeys } = storage;
  ok(apiKeys, 'the storage has no apiKeys: skip the topic `api-keys`, and say why');
  return apiKeys;
}

async function listOf(apiKeys: ApiKeyStore, tenantId = acme, limit = 100): Promise<ApiKeyRecord[]> {
  return (await pagesOf((page) => apiKeys.list(tenantId, page), limit)).flat();
}

/** A rule about the keys of a storage. */
type Body = (under: StorageUnderTest & { readonly apiKeys: ApiKeyStore }) => Promise<void>;

const keyRules = (bodies: Readonly<Record<string, Body>>): readonly StorageRule[] =>
  topic<StorageUnderTest>(
    'api-keys',
    Object.fromEntries(
      Object.entries(bodies).map(([title, body]) => [
        title,
        async (under: StorageUnderTest) => body({ ...under, apiKeys: apiKeysOf(under.storage) }),
      ]),
    ),
  );

export const apiKeyRules: readonly StorageRule[] = keyRules({
  'a key is kept as it was given, with the instant of the storage, and was never used': async ({
    apiKeys,
    advance,
  }) => {
    const first = await apiKeys.create(newApiKey());
    await advance(hourMs);
    const given = newApiKey({
      mode: 'test',
      name: 'Ключ 📯 "x"',
      scopes: ['keys:write', 'deliveries:read', 'webhooks:read'],
      expiresAt: new Date(first.createdAt.getTime() + 1000 * hourMs + 1),
    });
    const created = await apiKeys.create(given);
    same(created, { ...given, createdAt: created.createdAt, lastUsedAt: null, revokedAt: null });
    const passedMs = created.createdAt.getTime() - first.createdAt.getTime();
    ok(passedMs >= hourMs && passedMs < hourMs + minuteMs, `an hour has passed, not ${passedMs} ms`);
    same(await apiKeys.find(given.id), created);
    same(await listOf(apiKeys), [created, first]);
  },

  'a key is found by its id, of whichever tenant, and by nothing else': async ({ apiKeys }) => {
    const ours = await apiKeys.create(newApiKey());
    const theirs = await apiKeys.create(newApiKey({ tenantId: globex }));
    same(await apiKeys.find(ours.id), ours);
    same(await apiKeys.find(theirs.id), theirs);
    const swapped = ours.id.replace(/[a-z]|[A-Z]/g, (letter) =>
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    );
    for (const id of ['', 'key_', '%', 'key_%', '__proto__', 'constructor', ours.hash, ours.name, swapped]) {
      assert.equal(await apiKeys.find(id), undefined, `found by ${id}`);
    }
  },

  'an id that is taken is refused, by whichever tenant and whatever became of it': async ({ apiKeys }) => {
    const { id } = await apiKeys.create(newApiKey());
    await rejectsWith('conflict', apiKeys.create(newApiKey({ id })));
    await rejectsWith('conflict', apiKeys.create(newApiKey({ id, tenantId: globex })));
    const revoked = await apiKeys.revoke(acme, id);
    await rejectsWith('conflict', apiKeys.create(newApiKey({ id })));
    same(await listOf(apiKeys), [revoked]);
    same(await listOf(apiKeys, globex), []);
  },

  'of many that take one id at the same time one has it': async ({ apiKeys, storage, second = storage }) => {
    const given = Array.from({ length: 10 }, () => newApiKey({ id: 'key_0123456789' }));
    const results = await Promise.allSettled(
      given.map((key, i) => (i % 2 === 0 ? apiKeys : apiKeysOf(second)).create(key)),
    );
    const created = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    ok(
      refused.every((error) => isPosthornError(error) && error.code === 'conflict'),
      'the others are refused by conflict',
    );
    same(await listOf(apiKeys), [one(created)]);
  },

  'a revoked key is not found from then on, by any handle, and stays on the list': async ({
    apiKeys,
    storage,
    second = storage,
    advance,
  }) => {
    const other = await apiKeys.create(newApiKey());
    const created = await apiKeys.create(newApiKey());
    await advance(hourMs);
    const revoked = await apiKeysOf(second).revoke(acme, created.id);
    assert.equal(await apiKeys.find(created.id), undefined);
    assert.equal(await apiKeysOf(second).find(created.id), undefined);
    same(revoked, { ...created, revokedAt: revoked?.revokedAt });
    const passedMs = Number(revoked?.revokedAt) - created.createdAt.getTime();
    ok(passedMs >= hourMs && passedMs < hourMs + minuteMs, `revoked after an hour, not ${passedMs} ms`);
    same(await listOf(apiKeys), [revoked, other]);
    same(await apiKeys.find(other.id), other);
  },

  'a key that is revoked twice was revoked the first time': async ({ apiKeys, advance }) => {
    const { id } = await apiKeys.create(newApiKey());
    const revoked = await apiKeys.revoke(acme, id);
    await advance(hourMs);
    same(await apiKeys.revoke(acme, id), revoked);
    same(await listOf(apiKeys), [revoked]);
  },

  'a key is found until it expires by the clock of the storage, and not after': async ({
    apiKeys,
    advance,
  }) => {
    const { createdAt, id: endless } = await apiKeys.create(newApiKey());
    const expiresAt = new Date(createdAt.getTime() + hourMs);
    const { id } = await apiKeys.create(newApiKey({ expiresAt }));
    await advance(hourMs - minuteMs);
    same((await apiKeys.find(id))?.expiresAt, expiresAt);
    await advance(minuteMs);
    assert.equal(await apiKeys.find(id), undefined);
    await advance(1000 * hourMs);
    assert.equal(await apiKeys.find(id), undefined);
    assert.deepEqual(idsOf(await listOf(apiKeys)), [id, endless]);
    ok(await apiKeys.find(endless), 'one that never expires is found');
    ok((await apiKeys.revoke(acme, id))?.revokedAt, 'one that has expired can be revoked');
  },

  'touch sets when a key was used, and changes nothing else': async ({ apiKeys, advance }) => {
    const other = await apiKeys.create(newApiKey());
    const created = await apiKeys.create(newApiKey());
    for (let hours = 1; hours <= 2; hours++) {
      await advance(hourMs);
      await apiKeys.touch(created.id);
      const found = await apiKeys.find(created.id);
      same(found, { ...created, lastUsedAt: found?.lastUsedAt });
      const passedMs = Number(found?.lastUsedAt) - created.createdAt.getTime();
      ok(
        passedMs >= hours * hourMs && passedMs < hours * hourMs + minuteMs,
        `used after ${hours} hours, not ${passedMs} ms`,
      );
      same(await listOf(apiKeys), [found, other]);
    }
    await apiKeys.touch('key_0000000000');
    await apiKeys.touch('__proto__');
    assert.equal((await listOf(apiKeys)).length, 2);
  },

  'a revoked key stays revoked when it is touched': async ({ apiKeys }) => {
    const { id } = await apiKeys.create(newApiKey());
    const revoked = await apiKeys.revoke(acme, id);
    await apiKeys.touch(id);
    assert.equal(await apiKeys.find(id), undefined);
    same(one(await listOf(apiKeys)).revokedAt, revoked?.revokedAt);
  },

  'list and revoke see and change nothing of another tenant': async ({ apiKeys }) => {
    const created = await apiKeys.create(newApiKey());
    for (const stranger of strangers) {
      same(await apiKeys.list(stranger, { limit: 10 }), { items: [], nextCursor: null }, stranger);
      assert.equal(await apiKeys.revoke(stranger, created.id), undefined, stranger);
    }
    same(await apiKeys.find(created.id), created);
    same(await listOf(apiKeys), [created]);
    assert.equal(await apiKeys.revoke(acme, 'key_0000000000'), undefined);
  },

  'tenants whose names are alike or odd have each their own keys': async ({ apiKeys }) => {
    const created = [];
    for (const tenantId of oddTenants) created.push(await apiKeys.create(newApiKey({ tenantId })));
    for (const [i, tenantId] of oddTenants.entries()) {
      same(await listOf(apiKeys, tenantId), [created[i]], `the keys of ${tenantId}`);
    }
  },

  'a cursor that no page came with is refused': async ({ apiKeys }) => {
    for (let i = 0; i < 3; i++) await apiKeys.create(newApiKey());
    for (const cursor of strangeCursors) {
      await rejectsWith('invalid_option', apiKeys.list(acme, { limit: 1, cursor }), cursor);
    }
  },

  'pages hold every key once, the newest first, and the last one has no cursor even if it is full': async ({
    apiKeys,
  }) => {
    const created: ApiKeyRecord[] = [];
    for (let i = 0; i < 6; i++) {
      created.unshift(await apiKeys.create(newApiKey()));
      await apiKeys.create(newApiKey({ tenantId: globex }));
    }
    for (const limit of [1, 2, 3, 4, 6]) {
      const pages = await pagesOf((page) => apiKeys.list(acme, page), limit);
      same(pages.flat(), created, `in pages of ${limit}`);
      assert.equal(pages.length, Math.ceil(6 / limit), `six in pages of ${limit}`);
    }
  },

  'a key that is created, revoked or used between two pages moves no other': async ({ apiKeys }) => {
    const created: ApiKeyRecord[] = [];
    for (let i = 0; i < 4; i++) created.unshift(await apiKeys.create(newApiKey()));
    const first = await apiKeys.list(acme, { limit: 2 });
    await apiKeys.create(newApiKey());
    await apiKeys.revoke(acme, created[1]!.id);
    await apiKeys.touch(created[3]!.id);
    const next = await apiKeys.list(acme, { limit: 2, cursor: nextCursorOf(first) });
    assert.deepEqual(idsOf(next.items), idsOf(created.slice(2)));
    assert.equal(next.nextCursor, null);
  },

  'what is given or handed out can change or be frozen, and what is stored does not': async ({ apiKeys }) => {
    const given = { ...newApiKey(), scopes: ['webhooks:read' as const], expiresAt: new Date('2999-01-01') };
    const { id, ...copy } = structuredClone(given);
    const created = await apiKeys.create(given);
    const expected = {
      id,
      ...copy,
      createdAt: new Date(created.createdAt),
      lastUsedAt: null,
      revokedAt: null,
    };
    vandalise(given);
    vandalise(created);
    same(await apiKeys.find(id), expected);
    vandalise(await apiKeys.find(id));
    vandalise(await apiKeys.list(acme, { limit: 10 }));
    same(await apiKeys.find(id), expected);
    const revoked = await apiKeys.revoke(acme, id);
    const { revokedAt } = structuredClone(revoked!);
    vandalise(revoked);
    same(await apiKeys.list(acme, { limit: 10 }), { items: [{ ...expected, revokedAt }], nextCursor: null });
    await apiKeys.create(frozen({ ...newApiKey(), expiresAt: new Date('2999-01-01') }));
  },
});
