import { createDispatcher, type PosthornError } from '@posthorn/core';
import { createIds } from '@posthorn/core/storage';
import { recordingChannel, until } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { restored, storable } from '../src/client/texts.js';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const secret = 'c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU=';

describe.skipIf(!hasPostgres())('A webhook whose row is damaged', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  const damages: [what: string, column: string, text: string][] = [
    ['channels that are no JSON', 'channels', `{${secret}`],
    ['channels of another form', 'channels', '{"v2":[]}'],
    ['a channel without its id', 'channels', '[{"channel":"recording"}]'],
    ['secrets that are no JSON', 'secrets', `?${secret}`],
    ['secrets of another form', 'secrets', '{"v":2}'],
    ['a secret without its key', 'secrets', '[{"expiresAt":null}]'],
  ];

  test.each(damages)(
    'by %s fails alone, is named, and goes on when it is repaired',
    async (what, column, text) => {
      const tenantId = what;
      const channel = recordingChannel();
      // One process has read it before, the other has not.
      const publisher = createDispatcher({ storage: postgresStorage(database.pool), channels: [channel] });
      const worker = createDispatcher({
        storage: postgresStorage(database.pool),
        channels: [channel],
        retry: { schedule: ['50ms'], jitter: 0 },
        pollInterval: '20ms',
      });
      const [bad, good] = await Promise.all(
        ['bad', 'good'].map((name) =>
          publisher.webhooks.create({
            tenantId,
            name,
            eventTypes: ['*'],
            channels: [{ channel: channel.type, configs: {} }],
          }),
        ),
      );
      const write = (value: string) =>
        database.pool.query(
          `update posthorn.webhooks set ${column} = $1, version = version + 1 where id = $2`,
          [value, bad!.id],
        );
      const { rows } = await database.pool.query(
        `select ${column} as value from posthorn.webhooks where id = $1`,
        [bad!.id],
      );
      await write(text);

      const errors: unknown[] = [];
      worker.on('error', (error) => errors.push(error));
      const events = await publisher.dispatchMany(
        Array.from({ length: 5 }, (_, i) => ({ type: 'a.b', payload: i, tenantId })),
      );
      expect(events.every(({ deliveries }) => deliveries === 2)).toBe(true);
      worker.start();
      const sentTo = (id: string) =>
        channel.deliveries.filter(({ message }) => message.webhook.id === id).length;
      await until(() => sentTo(good!.id) === 5);
      const undelivered = () => worker.deliveries.listUndelivered({ tenantId });
      await until(async () => (await undelivered()).items.length === 5);
      expect(sentTo(bad!.id)).toBe(0);
      expect(errors).toEqual([]);
      for (const { id, webhookId, status } of (await undelivered()).items) {
        expect([webhookId, status]).toEqual([bad!.id, 'dead']);
        const attempts = await worker.deliveries.attempts(id, { tenantId });
        expect(attempts).toHaveLength(2);
        expect(attempts[1]).toMatchObject({ outcome: 'failed', kind: 'config' });
        expect(attempts[1]!.message).toContain(column);
        expect(attempts[1]!.message).not.toContain(secret);
      }

      const page = await worker.webhooks.list({ tenantId });
      expect(page.items.map(({ id }) => id)).toEqual([good!.id]);
      expect(page.unreadable).toEqual([bad!.id]);
      const error: PosthornError = await worker.webhooks.get(bad!.id, { tenantId }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'webhook_unreadable', issues: [{ path: [bad!.id, column] }] });
      expect(JSON.stringify([error.message, error.issues, String(error.cause)])).not.toContain(secret);

      await write(rows[0].value);
      expect((await worker.webhooks.get(bad!.id, { tenantId })).name).toBe('bad');
      for (const { id } of (await undelivered()).items) await worker.deliveries.retry(id, { tenantId });
      await until(() => sentTo(bad!.id) === 5);
      await worker.stop();
    },
  );

  test.each(['?', '{"v2":[]}'])(
    'has what gathered for it fail alone, while the digests of others go: %s',
    async (text) => {
      const tenantId = `digests ${text.length}`;
      const channel = { ...recordingChannel(), supportsDigests: true };
      const dispatcher = createDispatcher({ storage: postgresStorage(database.pool), channels: [channel] });
      const [bad, good] = await Promise.all(
        ['bad', 'good'].map((name) =>
          dispatcher.webhooks.create({
            tenantId,
            name,
            eventTypes: ['*'],
            channels: [{ channel: channel.type, configs: {}, digest: { window: '1d', maxEvents: 2 } }],
          }),
        ),
      );
      await dispatcher.dispatch('a.b', 1, { tenantId });
      await database.pool.query('update posthorn.webhooks set channels = $1 where id = $2', [text, bad!.id]);
      await dispatcher.dispatch('a.b', 2, { tenantId });
      await dispatcher.drain();
      const { items } = await dispatcher.deliveries.list({ tenantId });
      const statusesOf = (id: string) =>
        items.filter(({ webhookId }) => webhookId === id).map(({ status, attempts }) => [status, attempts]);
      expect(statusesOf(good!.id)).toEqual(Array(2).fill(['delivered', 1]));
      expect(statusesOf(bad!.id)).toEqual(Array(2).fill(['pending', 1]));
      await dispatcher.webhooks.delete(bad!.id, { tenantId });
    },
  );

  test('lets the results of others be written with its own, and can be written anew', async () => {
    const storage = postgresStorage(database.pool);
    const ids = createIds();
    const waiting = { id: ids.binding(), channel: 'b', configs: {}, onlyAfter: { failedAttempts: 1 } };
    const newWebhook = () => ({
      ...{
        id: ids.webhook(),
        tenantId: 'results',
        name: 'w',
        eventTypes: ['*'],
        secrets: [],
        isActive: true,
      },
      channels: [{ id: ids.binding(), channel: 'a', configs: {} }],
    });
    const bad = await storage.webhooks.create({
      ...newWebhook(),
      channels: [...newWebhook().channels, waiting],
    });
    await storage.webhooks.create(newWebhook());
    const event = {
      ...{ id: ids.event(), tenantId: 'results', type: 'a.b', payload: '1', occurredAt: new Date() },
      ...{ namespaceId: null, subject: null, cacheScope: null, orderingKey: null, matchingPatterns: ['*'] },
    };
    const prefetch = { limit: 9, leaseMs: 60_000, webhookLimit: 9, webhookRoom: new Map() };
    const { claims } = await storage.deliveries.publish([event], { prefetch });
    await database.pool.query(`update posthorn.webhooks set channels = '?' where id = $1`, [bad.id]);
    const settlements = claims.map((claim) => ({
      claim,
      next: { status: 'pending', delayMs: 3_600_000 } as const,
      ...(claim.webhook.id === bad.id && { escalateTo: [waiting.id] }),
    }));
    expect(await storage.deliveries.settle(settlements)).toEqual([true, true]);
    const { channels } = newWebhook();
    const repaired = await storage.webhooks.update('results', bad.id, bad.version, { channels });
    expect(repaired?.channels).toEqual(channels);
  });

  test('keeps its place in lists: the pages go on behind it', async () => {
    const tenantId = 'pages';
    const storage = postgresStorage(database.pool);
    const channel = recordingChannel();
    const { webhooks } = createDispatcher({ storage, channels: [channel] });
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      const channels = [{ channel: channel.type, configs: {} }];
      made.unshift((await webhooks.create({ tenantId, name: `${n}`, eventTypes: ['*'], channels })).id);
    }
    await database.pool.query(`update posthorn.webhooks set channels = '?' where id = any ($1)`, [
      [made[1], made[4]],
    ]);
    const seen: string[] = [];
    const damaged: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await webhooks.list({ tenantId, limit: 2, ...(cursor && { cursor }) });
      seen.push(...page.items.map(({ id }) => id));
      damaged.push(...(page.unreadable ?? []));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual([made[0], made[2], made[3]]);
    expect(damaged).toEqual([made[1], made[4]]);
    expect((await storage.webhooks.list(undefined, { limit: 1_000 })).unreadable).toEqual(
      expect.arrayContaining(damaged),
    );
    expect(await webhooks.delete(made[1]!, { tenantId })).toBe(true);
  });

  test('is counted by reencrypt among those that could not be encrypted anew', async () => {
    await postgresStorage(database.pool, { schema: 'sealed' }).migrate();
    const channel = recordingChannel();
    const { webhooks } = createDispatcher({
      storage: postgresStorage(database.pool, { schema: 'sealed' }),
      channels: [channel],
      encryption: { keys: [{ id: 'one', key: Buffer.alloc(32, 1).toString('base64') }] },
    });
    const channels = [{ channel: channel.type, configs: {} }];
    const { id } = await webhooks.create({ name: 'w', eventTypes: ['*'], channels });
    await database.pool.query(`update sealed.webhooks set secrets = '?'`);
    await expect(webhooks.reencrypt()).rejects.toMatchObject({
      code: 'secret_unreadable',
      issues: [{ path: [id] }],
    });
  });
});

test('A text behind the mark that is no JSON is read as it is, and fails nothing else', () => {
  for (const text of ['\u0001{oops', '\u0001']) expect(restored(text)).toBe(text);
  for (const text of ['\u0001{oops', 'a\0b', '\ud800', 'plain', ''])
    expect(restored(storable(text))).toBe(text);
});
