import { createIds, type NewEvent, type NewWebhook } from '@posthorn/core/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from '../database.js';

const ids = createIds();
const prefetch = { limit: 100, leaseMs: 60_000, webhookLimit: 100, webhookRoom: new Map<string, number>() };

const newWebhook = (tenantId: string, eventTypes = ['order.created']): NewWebhook => ({
  id: ids.webhook(),
  tenantId,
  name: 'w',
  eventTypes,
  channels: [{ id: ids.binding(), channel: 'test', configs: {} }],
  isActive: true,
  secrets: [],
});

const newEvent = (tenantId: string, overrides: Partial<NewEvent> = {}): NewEvent => ({
  id: ids.event(),
  tenantId,
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date(),
  namespaceId: null,
  subject: null,
  cacheScope: null,
  orderingKey: null,
  matchingPatterns: ['order.created'],
  ...overrides,
});

describe.skipIf(!hasPostgres())('the targets that a process has cached', () => {
  let database: TestDatabase;
  /** Another process, through which webhooks are written. */
  let other: ReturnType<typeof postgresStorage>;
  /** This process, and how each of its publishes was stored. */
  let storage: ReturnType<typeof postgresStorage>;
  let stored: string[];
  let failOnce: ((text: string) => boolean) | undefined;

  beforeAll(async () => {
    database = await openDatabase();
    other = postgresStorage(database.newPool());
    await other.migrate();
    stored = [];
    storage = postgresStorage({
      async query(text: string, values?: unknown[]) {
        const answer = await database.pool.query(text, values);
        if (/insert into "posthorn".events/.test(text)) {
          const isQuick = /^\s*with g as/.test(text);
          stored.push(isQuick ? (answer.rows.length === 1 ? 'quickly' : 'not') : 'generally');
        }
        if (failOnce?.(text)) {
          failOnce = undefined;
          throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
        }
        return answer;
      },
    });
  });

  const receivers = async (tenantId: string, count = 2): Promise<string[]> => {
    stored = [];
    const events = Array.from({ length: count }, () => newEvent(tenantId));
    const { published, claims } = await storage.deliveries.publish(events, { prefetch });
    expect(published.map(({ deliveries }) => deliveries)).toEqual(
      events.map(({ id }) => claims.filter(({ event }) => event.id === id).length),
    );
    return [...new Set(claims.map(({ webhook }) => webhook.id))].sort();
  };

  /** Checks that the next publish sees the effect of `change`, and that the one after that is quick again. */
  const expectAfter = async (tenantId: string, change: () => Promise<unknown>, expected: string[]) => {
    await receivers(tenantId);
    await receivers(tenantId);
    expect(stored).toEqual(['quickly']);
    await change();
    expect(await receivers(tenantId)).toEqual([...expected].sort());
    expect(stored).toEqual(['not', 'generally']);
    for (const count of [1, 2]) {
      expect(await receivers(tenantId, count)).toEqual([...expected].sort());
      expect(stored).toEqual(['quickly']);
    }
  };

  test('follow each write of a webhook by another process at once', async () => {
    const [one, two] = [newWebhook('acme'), newWebhook('acme')];
    await expectAfter('acme', () => other.webhooks.create(one), [one.id]);
    await expectAfter('acme', () => other.webhooks.create(two), [one.id, two.id]);
    await expectAfter('acme', () => other.webhooks.update('acme', one.id, 1, { isActive: false }), [two.id]);
    await expectAfter('acme', () => other.webhooks.update('acme', one.id, 2, { isActive: true }), [
      one.id,
      two.id,
    ]);
    await expectAfter('acme', () => other.webhooks.update('acme', two.id, 1, { eventTypes: ['other'] }), [
      one.id,
    ]);
    await expectAfter(
      'acme',
      () => other.webhooks.update('acme', two.id, 2, { eventTypes: one.eventTypes }),
      [one.id, two.id],
    );
    await expectAfter('acme', () => other.webhooks.delete('acme', one.id), [two.id]);
    const again = { ...newWebhook('acme'), id: one.id };
    await expectAfter('acme', () => other.webhooks.create(again), [one.id, two.id]);
    // The current bindings are used, even where the targets stay the same.
    const channels = [{ id: ids.binding(), channel: 'test', configs: { url: 'new' } }];
    await expectAfter('acme', () => other.webhooks.update('acme', one.id, 1, { channels }), [one.id, two.id]);
    const { claims } = await storage.deliveries.publish([newEvent('acme')], { prefetch });
    expect(claims.find(({ webhook }) => webhook.id === one.id)?.binding).toEqual(channels[0]);
  });

  test('follow writes to the tables by hand, or by a writer that does not know the versions', async () => {
    const [one, two] = [newWebhook('hand'), newWebhook('hand')];
    for (const webhook of [one, two]) await other.webhooks.create(webhook);
    const { pool } = database;
    const both = [one.id, two.id];
    await expectAfter(
      'hand',
      () => pool.query(`update posthorn.webhooks set is_active = id <> $1`, [one.id]),
      [two.id],
    );
    await expectAfter('hand', () => pool.query('update posthorn.webhooks set is_active = true'), both);
    await expectAfter(
      'hand',
      () => pool.query('delete from posthorn.subscriptions where webhook_id = $1', [two.id]),
      [one.id],
    );
    const subscribe = `insert into posthorn.subscriptions values ('hand', 'order.created', $1)`;
    await expectAfter('hand', () => pool.query(subscribe, [two.id]), both);
    await expectAfter(
      'hand',
      () =>
        pool.query(`begin; set local session_replication_role = replica;
          delete from posthorn.subscriptions where webhook_id = '${one.id}'; commit`),
      [two.id],
    );
    await expectAfter('hand', () => pool.query('truncate posthorn.subscriptions'), []);
  });

  test('follow a transaction when it commits, and not before', async () => {
    const webhook = newWebhook('open');
    await receivers('open');
    const [tx, second] = [await database.newPool().connect(), await database.newPool().connect()];
    await tx.query('begin');
    await other.webhooks.create(webhook, { tx });
    expect(await receivers('open')).toEqual([]);
    expect(stored).toEqual(['quickly']);
    // Its own events reach its own webhook, which other transactions do not see.
    const own = await storage.deliveries.publish([newEvent('open')], { tx });
    expect(own.published[0]?.deliveries).toBe(1);
    expect(await receivers('open')).toEqual([]);

    // It blocks neither another transaction nor a call.
    const [late, direct] = [newWebhook('open'), newWebhook('open')];
    await second.query('begin isolation level repeatable read');
    await second.query('select 1');
    await other.webhooks.create(direct);
    await other.webhooks.create(late, { tx: second });
    expect(await receivers('open')).toEqual([direct.id]);
    await expectAfter('open', () => tx.query('commit'), [direct.id, webhook.id]);
    await expectAfter('open', () => second.query('commit'), [direct.id, webhook.id, late.id]);
    for (const client of [tx, second]) client.release();
  });

  test('do not follow a transaction that rolls back', async () => {
    await receivers('back');
    const tx = await database.newPool().connect();
    await tx.query('begin');
    await other.webhooks.create(newWebhook('back'), { tx });
    await tx.query('rollback');
    tx.release();
    expect(await receivers('back')).toEqual([]);
    expect(stored).toEqual(['quickly']);
  });

  test('need one row for a tenant, however often its webhooks were written, and never miss a change', async () => {
    const versionOf = async (): Promise<string> => {
      const { rows } = await database.pool.query(
        `select sum(version)::text as version from posthorn.webhook_versions where tenant_id = 'busy'`,
      );
      return rows[0].version;
    };
    const seen = new Set<string>();
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 20 }, () => other.webhooks.create(newWebhook('busy'))));
      seen.add(await versionOf());
    }
    expect(seen.size).toBe(5);
    await other.webhooks.create(newWebhook('busy'));
    const { rows } = await database.pool.query(
      `select count(*)::integer as count from posthorn.webhook_versions where tenant_id = 'busy'`,
    );
    expect(rows[0].count).toBe(1);
  });

  test('follow each pause while events are published continuously', async () => {
    const webhook = newWebhook('toggled');
    let { version } = await other.webhooks.create(webhook);
    let isActive = true;
    let isDone = false;
    const background = (async () => {
      while (!isDone) await storage.deliveries.publish([newEvent('toggled'), newEvent('toggled')]);
    })();
    for (let round = 0; round < 60; round++) {
      isActive = !isActive;
      ({ version } = (await other.webhooks.update('toggled', webhook.id, version, { isActive }))!);
      const events = Array.from({ length: 1 + (round % 2) }, () => newEvent('toggled'));
      const { published } = await storage.deliveries.publish(events);
      expect(published.map(({ deliveries }) => deliveries)).toEqual(events.map(() => (isActive ? 1 : 0)));
    }
    isDone = true;
    await background;
  });

  test('give a stored event its first result, and store the new ones of the same call', async () => {
    const webhook = newWebhook('twice');
    await other.webhooks.create(webhook);
    await receivers('twice');
    for (const count of [1, 2]) {
      const [first, ...others] = Array.from({ length: count }, () => newEvent('twice'));
      await storage.deliveries.publish([first!]);
      await other.webhooks.create(newWebhook('twice'));
      await receivers('twice');
      stored = [];
      const { published, claims } = await storage.deliveries.publish([first!, ...others, first!], {
        prefetch,
      });
      expect(stored).toEqual(['generally']);
      const before = count === 1 ? 1 : 2;
      expect(published.map(({ deliveries }) => deliveries)).toEqual([
        before,
        ...others.map(() => before + 1),
        before,
      ]);
      expect(new Set(claims.map(({ event }) => event.id))).toEqual(new Set(others.map(({ id }) => id)));
    }
  });

  test.each([1, 3])(
    'return claims that a first try leased, whose answer was lost: %s at once',
    async (count) => {
      const webhook = newWebhook(`lost${count}`);
      await other.webhooks.create(webhook);
      await receivers(`lost${count}`);
      const events = Array.from({ length: count }, () => newEvent(`lost${count}`));
      failOnce = (text) => /^\s*with g as/.test(text);
      const { published, claims } = await storage.deliveries.publish(events, {
        prefetch: { ...prefetch, isBegun: true },
      });
      expect(published).toEqual(events.map(({ id }) => ({ eventId: id, deliveries: 1 })));
      expect(claims.map(({ event }) => event.id).sort()).toEqual(events.map(({ id }) => id).sort());
      const done = await storage.deliveries.settle(
        claims.map((claim) => ({ claim, next: { status: 'delivered' } })),
      );
      expect(done).toEqual(events.map(() => true));
    },
  );

  test('are not used for events that gather, have a key or an order, or have very many targets', async () => {
    const gathering = newWebhook('slow', ['gathers']);
    const [binding] = gathering.channels;
    await other.webhooks.create({
      ...gathering,
      channels: [{ ...binding!, digest: { window: 60_000, maxEvents: 10 } }],
    });
    for (let n = 0; n < 101; n++) await other.webhooks.create(newWebhook('slow', ['many']));
    await other.webhooks.create(newWebhook('slow'));
    const unusual: Partial<NewEvent>[] = [
      { type: 'gathers', matchingPatterns: ['gathers'] },
      { type: 'many', matchingPatterns: ['many'] },
      { orderingKey: 'k' },
      { idempotencyKey: 'k', fingerprint: 'f' },
      { id: 'evt_{odd}' },
    ];
    await receivers('slow');
    for (const overrides of unusual) {
      stored = [];
      for (let n = 0; n < 2; n++) {
        const idempotencyKey = overrides.idempotencyKey && { idempotencyKey: `k${n}` };
        const id = overrides.id && { id: `evt_{odd${n}}` };
        const one = newEvent('slow', { ...overrides, ...idempotencyKey, ...id });
        await storage.deliveries.publish([one, newEvent('slow')], { prefetch });
      }
      expect(stored, JSON.stringify(overrides)).toEqual(['generally', 'generally']);
    }
  });

  test('follow writers without rights on the table of versions', async () => {
    const client = await database.newPool().connect();
    await client.query(`begin; create role writer; grant usage on schema posthorn to writer;
      grant select, insert, update, delete on posthorn.webhooks, posthorn.subscriptions to writer;
      grant usage on all sequences in schema posthorn to writer; set role writer`);
    const webhook = newWebhook('granted');
    await receivers('granted');
    await other.webhooks.create(webhook, { tx: client });
    await client.query('reset role; drop owned by writer; drop role writer; commit');
    client.release();
    expect(await receivers('granted')).toEqual([webhook.id]);
  });
});
