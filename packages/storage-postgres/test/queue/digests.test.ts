import { createDispatcher } from '@posthorn/core';
import { delivered, failed } from '@posthorn/core/channel';
import { createIds } from '@posthorn/core/storage';
import { recordingChannel, until } from '@posthorn/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresStorage } from '../../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from '../database.js';

describe.skipIf(!hasPostgres())('digests of two processes', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  test('have each event once, and the same events at each attempt, whichever process forms them and fails', async () => {
    const channel = recordingChannel();
    let sent = 0;
    channel.answerWith(() => (++sent % 3 === 0 ? failed('http_status', 'no') : delivered()));
    const dispatchers = [database.pool, database.newPool()].map((pool) =>
      createDispatcher({
        storage: postgresStorage(pool),
        channels: [channel],
        retry: { schedule: Array(20).fill('50ms') },
        pollInterval: '50ms',
      }),
    );
    const [first, second] = dispatchers as [(typeof dispatchers)[0], (typeof dispatchers)[0]];
    await first.webhooks.create({
      name: 'w',
      eventTypes: ['*'],
      channels: [{ channel: 'webhook', configs: {}, digest: { window: '1s', maxEvents: 7 } }],
    });
    for (const dispatcher of dispatchers) dispatcher.start();
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    await Promise.all(
      numbers.map(async (n) => {
        const dispatcher = n % 2 === 0 ? first : second;
        if (n % 3 > 0) return dispatcher.dispatch('order.created', n);
        const tx = await database.pool.connect();
        await tx.query('begin');
        await dispatcher.dispatch('order.created', n, { tx });
        await tx.query('commit');
        return tx.release();
      }),
    );
    const payloadsOf = ({ message }: (typeof channel.attempts)[0]) =>
      message.digest!.map(({ payload }) => payload as number);
    await until(() => channel.deliveries.flatMap(payloadsOf).length >= numbers.length, { timeoutMs: 30_000 });
    for (const dispatcher of dispatchers) await dispatcher.stop();

    const all = channel.deliveries.flatMap(payloadsOf);
    expect(all.sort((a, b) => a - b)).toEqual(numbers);
    expect(channel.attempts.length).toBeGreaterThan(channel.deliveries.length);
    const known = new Map<string, readonly number[]>();
    for (const attempt of channel.attempts) {
      const payloads = payloadsOf(attempt);
      expect(payloads.length).toBeLessThanOrEqual(7);
      expect(known.get(attempt.message.deliveryId) ?? payloads).toEqual(payloads);
      known.set(attempt.message.deliveryId, payloads);
    }
    const { items } = await first.deliveries.list({ limit: 1_000 });
    expect(items.map(({ status }) => status)).toEqual(numbers.map(() => 'delivered'));
    expect((await database.pool.query("select from posthorn.queue where tenant_id <> ''")).rowCount).toBe(0);
  }, 60_000);
});

describe.skipIf(!hasPostgres())('a digest whose claim fails', () => {
  const ids = createIds();
  const options = { limit: 10, leaseMs: 60_000, webhookLimit: 10, webhookRoom: new Map(), isBegun: true };
  let database: TestDatabase;
  let storage: ReturnType<typeof postgresStorage>;
  /** Matches the statement whose answer is lost. */
  let lost: RegExp | undefined;

  beforeAll(async () => {
    database = await openDatabase();
    storage = postgresStorage({
      async query(text: string, values?: unknown[]) {
        const answer = await database.pool.query(text, values);
        if (lost?.test(text) && answer.rows.length > 0) {
          throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
        }
        return answer;
      },
    });
    await storage.migrate();
    const digest = { window: 3_600_000 as never, maxEvents: 2 };
    await storage.webhooks.create({
      ...{ id: ids.webhook(), tenantId: 'acme', name: 'w', eventTypes: ['a'], isActive: true, secrets: [] },
      channels: [{ id: ids.binding(), channel: 'webhook', configs: {}, digest }],
    });
  });

  beforeEach(async () => {
    await database.pool.query('delete from posthorn.queue; delete from posthorn.events');
    const event = {
      tenantId: 'acme',
      type: 'a',
      payload: '1',
      occurredAt: new Date(),
      matchingPatterns: ['a'],
    };
    const others = { namespaceId: null, subject: null, cacheScope: null, orderingKey: null };
    await storage.deliveries.publish([1, 2].map(() => ({ id: ids.event(), ...event, ...others })));
  });

  const failToClaim = async (statement: RegExp, leaseMs: number): Promise<void> => {
    lost = statement;
    await expect(storage.deliveries.claim({ ...options, leaseMs })).rejects.toThrow('lost');
    lost = undefined;
  };
  const attempts = async () =>
    (await storage.log.deliveries('acme', { limit: 10 })).items.map((one) => [one.status, one.attempts]);

  test('after its deliveries were leased stays as it was: no attempt is counted', async () => {
    for (let claims = 0; claims < 2; claims++) {
      await failToClaim(/, following as/, 60_000);
      expect(await attempts()).toEqual(Array(2).fill(['pending', 0]));
    }
    const [claim] = await storage.deliveries.claim(options);
    expect([claim!.attempt, claim!.begunAt, claim!.digest!.length]).toEqual([1, expect.any(Date), 2]);
    expect(await attempts()).toEqual(Array(2).fill(['sending', 1]));
  });

  test('before its deliveries were leased has lost an attempt, and so has each of its deliveries', async () => {
    await failToClaim(/picked as materialized/, 0);
    const [claim] = await storage.deliveries.claim(options);
    expect([claim!.attempt, claim!.lostAt, claim!.digest!.length]).toEqual([2, expect.any(Date), 2]);
    expect(await attempts()).toEqual(Array(2).fill(['sending', 1]));
    await storage.deliveries.begin([claim!], 0);
    expect(await attempts()).toEqual(Array(2).fill(['sending', 2]));
  });
});
