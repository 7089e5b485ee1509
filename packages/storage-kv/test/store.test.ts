import { createIds, type NewEvent } from '@posthorn/core/storage';
import { describe, expect, test } from 'vitest';
import { type KvStore, type KvTransaction, kvStorage, memoryKv, sqliteKv } from '../src/index.js';

const ids = createIds();

const newEvent = (given: Partial<NewEvent> = {}): NewEvent => ({
  id: ids.event(),
  tenantId: 'default',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: ['order.created'],
  ...given,
});

/** A memory store whose transactions go through `change`. */
function changed(change: (tx: KvTransaction) => unknown): KvStore {
  const store = memoryKv();
  return { transact: (run) => store.transact((tx) => run({ ...tx, ...(change(tx) as KvTransaction) })) };
}

const list = (store: KvStore) => kvStorage(store).log.events('default', { limit: 10 });

describe('what is no store is refused', () => {
  test.each([
    [undefined, 'store must be an object, not undefined'],
    [{}, 'store.transact must be a function, not undefined'],
    [{ transact: () => {}, close: 1 }, 'store.close must be a function, not a number'],
  ])('%j', (store, message) => {
    expect(() => kvStorage(store as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message }),
    );
  });

  test.each([
    [null, 'options of kvStorage must be an object, not null'],
    [{ now: 1 }, 'now must be a function, not a number'],
    [{ clock: Date.now }, 'unknown option clock of kvStorage: use now'],
  ])('options %j', (options, message) => {
    expect(() => kvStorage(memoryKv(), options as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message }),
    );
  });

  test.each([
    [undefined, {}, 'database.exec must be a function, not undefined: pass an open SQLite database'],
    [
      { exec() {}, prepare() {}, close() {} },
      { synchronous: 'off' },
      "synchronous must be 'normal' or 'full'",
    ],
  ])('a database %j with %j', (database, options, message) => {
    expect(() => sqliteKv(database as never, options as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message }),
    );
  });
});

describe('a store that breaks its promise is named', () => {
  test.each([
    ['lacks a function', { range: undefined }, "the store's tx.range must be a function, not undefined"],
    ['gives null', { get: () => null }, /value of c must be a string, not null; resolve to undefined/],
    ['gives a number', { get: async () => 1 }, /value of c must be a string, not a number/],
    ['gives no rows', { range: () => 'x' }, /range from \S+ before \S+ must be an array, not a string/],
    ['gives rows that are none', { range: () => [['e/default/1']] }, /must hold rows of \[key, value\]/],
    [
      'gives too many rows',
      { range: () => Array(999).fill(['e/default/1', '']) },
      /must have at most 16 rows, not 999/,
    ],
    ['gives another range', { range: () => [['f/1', '']] }, /holds f\/1/],
    [
      'gives them in another order',
      { range: () => ['1', '2'].map((id) => [`e/default/${id}`, '']) },
      /has e\/default\/2 after/,
    ],
  ])('one that %s', async (_, change, message) => {
    await expect(list(changed(() => change))).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringMatching(message),
    });
  });

  test('one that fails has its own error come out', async () => {
    const error = new Error('the disk is full');
    await expect(list({ transact: () => Promise.reject(error) })).rejects.toBe(error);
  });
});

test('a key that no store could hold is refused, and the call has stored nothing', async () => {
  const storage = kvStorage(memoryKv());
  await expect(
    storage.deliveries.publish([newEvent(), newEvent({ id: `evt_${'x'.repeat(300)}` })]),
  ).rejects.toMatchObject({ code: 'invalid_option', message: expect.stringContaining('200 characters') });
  expect((await storage.log.events('default', { limit: 10 })).items).toEqual([]);
});

describe('calls that share a transaction', () => {
  /** Counts transactions, and has those that write more than `most` keys fail. */
  function counting(most = Number.POSITIVE_INFINITY): KvStore & { count: number } {
    const store = memoryKv();
    const counted = {
      count: 0,
      transact<T>(run: (tx: KvTransaction) => Promise<T>): Promise<T> {
        counted.count++;
        let written = 0;
        return store.transact((tx) =>
          run({
            ...tx,
            set(key, value) {
              if (++written > most) throw new Error('too many keys');
              return tx.set(key, value);
            },
          }),
        );
      },
    };
    return counted;
  }

  test('calls at once are one transaction, each with its own result', async () => {
    const store = counting();
    const { deliveries } = kvStorage(store);
    const events = [newEvent(), newEvent(), newEvent()];
    const results = await Promise.all(events.map((event) => deliveries.publish([event])));
    expect(results.map(({ published }) => published[0]?.eventId)).toEqual(events.map(({ id }) => id));
    expect(store.count).toBe(1);
  });

  test('one that is refused leaves the others as they are', async () => {
    const storage = kvStorage(counting());
    const key = { idempotencyKey: 'order-1', fingerprint: 'one' };
    const [first, refused, last] = [newEvent(key), newEvent({ ...key, fingerprint: 'two' }), newEvent()];
    const results = await Promise.allSettled([
      storage.deliveries.publish([first]),
      storage.deliveries.publish([newEvent(), refused]),
      storage.deliveries.publish([last]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const { items } = await storage.log.events('default', { limit: 10 });
    expect(items.map(({ id }) => id).sort()).toEqual([first.id, last.id].sort());
  });

  test('where the store refuses them together, each goes by itself', async () => {
    const storage = kvStorage(counting(6));
    const publish = (count: number) =>
      storage.deliveries.publish(Array.from({ length: count }, () => newEvent()));
    const results = await Promise.allSettled([publish(1), publish(9), publish(1)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await storage.log.events('default', { limit: 100 })).items).toHaveLength(2);
  });

  test('a store may run them again after a conflict: nothing is there twice', async () => {
    const store = memoryKv();
    const conflicting: KvStore = {
      async transact(run) {
        const conflict = new Error('conflict');
        await store
          .transact(async (tx) => {
            await run(tx);
            throw conflict;
          })
          .catch((error) => {
            if (error !== conflict) throw error;
          });
        return store.transact(run);
      },
    };
    const storage = kvStorage(conflicting);
    await Promise.all([storage.deliveries.publish([newEvent()]), storage.deliveries.publish([newEvent()])]);
    expect((await storage.log.events('default', { limit: 10 })).items).toHaveLength(2);
  });
});

test('what is stored of a webhook can be damaged: it is named, and hides no other', async () => {
  const store = memoryKv();
  const storage = kvStorage(store);
  const webhooks = ['one', 'two'].map((name) => ({
    id: ids.webhook(),
    tenantId: 'default',
    name,
    eventTypes: [`${name}.*`],
    channels: [{ id: ids.binding(), channel: 'http', configs: {} }],
    isActive: true,
    secrets: [],
  }));
  for (const webhook of webhooks) await storage.webhooks.create(webhook);
  await storage.deliveries.publish([
    newEvent({ matchingPatterns: ['one.*'] }),
    newEvent({ matchingPatterns: ['two.*'] }),
  ]);
  const [damaged, whole] = webhooks.map(({ id }) => id) as [string, string];
  await store.transact(async (tx) => tx.set(`w/${damaged}`, '{'));
  await expect(storage.webhooks.get('default', damaged)).rejects.toMatchObject({
    code: 'webhook_unreadable',
  });
  const page = await storage.webhooks.list('default', { limit: 10 });
  expect([page.items.map(({ id }) => id), page.unreadable]).toEqual([[whole], [damaged]]);
  const options = { limit: 10, leaseMs: 1_000, webhookLimit: 10, webhookRoom: new Map() };
  expect((await storage.deliveries.claim(options)).map(({ webhook }) => webhook.id)).toEqual([whole]);
});
