import { createDispatcher, delivered, rejected } from '@posthorn/core';
import { recordingChannel } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

describe.skipIf(!hasPostgres())('a replay on Postgres', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
    await postgresStorage(database.pool).migrate();
  });

  test('is carried out by two processes at once, and no step is doubled', async () => {
    let offset = 0;
    const started: string[] = [];
    const channel = recordingChannel();
    const process = () => {
      const storage = postgresStorage(database.newPool({ max: 4 }), { clockOffset: () => offset });
      const setStatus: typeof storage.log.setStatus = async (...given) => {
        const moved = await storage.log.setStatus(...given);
        started.push(...moved);
        return moved;
      };
      return createDispatcher({
        storage: { ...storage, log: { ...storage.log, setStatus } },
        channels: [channel],
        webhookConcurrency: 100,
      });
    };
    const [one, other] = [process(), process()];
    const toAll = { eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };
    const [first, second] = [
      await one.webhooks.create({ name: 'first', ...toAll }),
      await one.webhooks.create({ name: 'second', ...toAll }),
    ];
    channel.answerWith(() => rejected('http_status', 'never'));
    const count = 300;
    await one.dispatchMany(Array.from({ length: count }, (_, i) => ({ type: 'order.created', payload: i })));
    await one.drain();
    expect(await other.replays.count()).toBe(2 * count);
    channel.answerWith(() => delivered());

    const replays = [
      await one.replays.create({ webhookId: first.id, perSecond: 400 }),
      await other.replays.create({ webhookId: second.id, perSecond: 300 }),
    ];
    for (let i = 0; i < 8; i++) {
      await Promise.all([one.drain(), other.drain()]);
      offset += 250;
    }
    for (const { id } of replays) {
      expect(await one.replays.get(id)).toMatchObject({ status: 'done', replayed: count, skipped: 0 });
    }
    expect(started).toHaveLength(2 * count);
    expect(new Set(started).size).toBe(2 * count);
    expect(channel.deliveries).toHaveLength(2 * count);
    expect(await one.replays.count()).toBe(0);
  });
});
