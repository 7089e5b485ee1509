import { createDispatcher } from '@posthorn/core';
import { cpuMs, recordingChannel } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';

const many = 10_000;

describe.skipIf(!hasPostgres())('P21: one event to ten thousand webhooks', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
  });

  test('is one statement, and blocks the event loop for less than 50 ms', async () => {
    const { pool } = database;
    const statements: string[] = [];
    const watched = {
      query(text: string, values?: unknown[]) {
        statements.push(text);
        return pool.query(text, values);
      },
    };
    const storage = postgresStorage(watched);
    await storage.migrate();
    const dispatcher = createDispatcher({ storage, channels: [recordingChannel()] });
    const channels = [{ channel: 'webhook', configs: {} }];
    await dispatcher.webhooks.create({ name: 'w', eventTypes: ['order.*'], channels });
    await pool.query(
      `with copies as (
        insert into posthorn.webhooks (id, tenant_id, name, event_types, channels, binding_ids, binding_channels,
          secrets, is_active, version, created_at, updated_at)
        select 'wh_' || lpad(n::text, 10, '0'), tenant_id, name, event_types,
          replace(channels, binding_ids[1], 'ch_' || lpad(n::text, 10, '0')), array['ch_' || lpad(n::text, 10, '0')],
          binding_channels, secrets, is_active, version, created_at, updated_at
        from posthorn.webhooks, generate_series(2, $1::integer) n
        returning id, tenant_id
      )
      insert into posthorn.subscriptions (tenant_id, pattern, webhook_id) select tenant_id, 'order.*', id from copies`,
      [many],
    );
    // The first dispatch of a process also reads the storage's clock.
    await dispatcher.dispatch('without.webhooks', {});
    statements.length = 0;
    const held: number[] = [];
    for (let i = 0; i < 3; i++) {
      const publish = async () =>
        expect(await dispatcher.dispatch('order.placed', { i })).toMatchObject({ deliveries: many });
      held.push(await cpuMs(publish));
    }
    expect(statements).toHaveLength(3);
    // The time that this process computes for it. The first run includes compilation.
    expect(Math.min(...held)).toBeLessThan(50);
    expect((await pool.query("select from posthorn.queue where tenant_id <> ''")).rowCount).toBe(3 * many);
  });
});
