import { createDispatcher } from '@posthorn/core';
import { delivered, rejected } from '@posthorn/core/channel';
import { firstEventId } from '@posthorn/core/storage';
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
      const transition: typeof storage.log.transition = async (...given) => {
        const moved = await storage.log.transition(...given);
        started.push(...moved);
        return moved;
      };
      return createDispatcher({
        storage: { ...storage, log: { ...storage.log, transition } },
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

  test.each(['read committed', 'repeatable read', 'serializable'])(
    'makes what was missed once, where another has made it meanwhile and it was delivered, in transactions that are %s',
    async (level) => {
      const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`;
      const storage = postgresStorage(database.newPool({ options }));
      const channel = recordingChannel();
      const posthorn = createDispatcher({ storage, channels: [channel] });
      const tenantId = `twice ${level}`;
      const { eventIds } = await posthorn
        .dispatchMany([1, 2, 3].map((payload) => ({ type: 'order.created', payload, tenantId })))
        .then((all) => ({ eventIds: all.map(({ eventId }) => eventId).sort() }));
      const webhook = await posthorn.webhooks.create({
        ...{ name: 'late', tenantId, eventTypes: ['*'] },
        channels: [{ channel: 'webhook', configs: {} }],
      });
      const backfill = (fromEventId: string) =>
        storage.deliveries.backfill!(
          tenantId,
          { fromEventId, beforeEventId: 'evt_7V' },
          { limit: 100, cursor: null },
        );

      // One that looks while nothing is there stands still before its first row, as another holds its place.
      const held = await database.pool.connect();
      await held.query('begin');
      await held.query(
        `insert into posthorn.queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, attempts, attempts_before,
        is_ready, is_held, yields) values ($1, $2, 'x', 'x', 'x', now(), 0, 0, false, false, false)`,
        [eventIds[0], webhook.channels[0]!.id],
      );
      const slow = backfill(firstEventId(0));
      const { rows } = await held.query('select pg_backend_pid() as pid');
      const waits = 'select from pg_stat_activity where $1 = any (pg_blocking_pids(pid))';
      while ((await database.pool.query(waits, [rows[0].pid])).rows.length === 0);
      expect((await backfill(eventIds[1]!)).deliveries).toBe(2);
      await posthorn.drain();
      expect(channel.deliveries).toHaveLength(2);
      await held.query('rollback');
      held.release();

      expect(await slow).toEqual({ deliveries: 1, cursor: null });
      await posthorn.drain();
      expect(channel.deliveries.map(({ message }) => message.event.id).sort()).toEqual(eventIds);
    },
  );
});
