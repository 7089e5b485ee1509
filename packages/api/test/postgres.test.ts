import { randomUUID } from 'node:crypto';
import { createDispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { postgresStorage } from '@posthorn/storage-postgres';
import { recordingChannel } from '@posthorn/testing';
import pg from 'pg';
import { afterAll, describe, expect, inject, test } from 'vitest';
import type { AnyDispatcher } from '../src/route.js';
import { apiOf, recorded } from './api.js';

const url = inject('postgresUrl');

/** What clients see of a day's work. Values that differ from run to run are normalized. */
async function transcriptOf(dispatcher: AnyDispatcher, failNext: (count: number) => void) {
  const { call } = await apiOf(dispatcher);
  const seen: unknown[] = [];
  async function see(...asked: Parameters<typeof call>) {
    const { status, body } = await call(...asked);
    seen.push([asked[0], status, body]);
    return body;
  }
  const { webhook_id } = await see('POST', '/webhooks', { body: recorded() });
  await see('POST', '/webhooks', { body: { ...recorded('Paused'), is_active: false } });
  await see('GET', '/webhooks');
  await see('GET', '/webhooks/Orders');
  await see('POST', '/webhooks/list?limit=1&include_total=1', { body: { event_type: 'order.placed' } });
  failNext(2);
  for (const total of [1, 2, 3]) {
    await see('POST', '/events', { body: { event_type: 'order.placed', metadata: { total } } });
    await dispatcher.drain();
  }
  await see('GET', '/events?limit=2');
  const { results } = await see('GET', `/webhooks/${webhook_id}/deliveries?undelivered=true`);
  await see('GET', `/deliveries/${results[0].delivery_id}`);
  await see('GET', `/events/${results[0].event_id}/explain`);
  await see('POST', `/deliveries/${results[0].delivery_id}/retry`);
  await see('POST', `/deliveries/${results[0].delivery_id}/cancel`);
  await see('POST', '/replay', { body: { dry_run: true, status: ['dead', 'cancelled'] } });
  const { replay_id } = await see('POST', '/replay', { body: { status: ['dead', 'cancelled'] } });
  await dispatcher.drain();
  await see('GET', `/replay/${replay_id}`);
  await see('GET', '/deliveries?status=delivered');
  seen.push((await call('GET', '/stats?buckets=1')).body.total);
  await see('PUT', `/webhooks/${webhook_id}`, { body: recorded('Renamed') });
  await see('DELETE', `/webhooks/${webhook_id}`);
  await see('DELETE', `/webhooks/${webhook_id}`);
  await see('GET', `/webhooks/${webhook_id}`);
  return JSON.stringify(seen, undefined, 1)
    .replace(/"\d{4}-\d\d-\d\dT[^"]+"/g, '"an instant"')
    .replace(/(wh|ch|evt|dlv|att|rpl)_\w+/g, '$1_…')
    .replace(/"duration_ms": \d+/g, '"duration_ms": 0')
    .replace(/"(next_cursor)": "[^"]+"/g, '"$1": "…"')
    .replace(/(at|published at) \d{4}-\S+Z/g, '$1 an instant');
}

describe.skipIf(url === null)('on Postgres', () => {
  const pool = new pg.Pool({ connectionString: url ?? '' });
  afterAll(() => pool.end());

  test('clients see the same as on a memory storage', async () => {
    const schema = `api_${randomUUID().replaceAll('-', '')}`;
    const storage = postgresStorage(pool, { schema });
    await storage.migrate();
    const transcripts = [];
    for (const one of [memoryStorage(), storage]) {
      const receiver = recordingChannel('record');
      const dispatcher = createDispatcher({
        storage: one as never,
        channels: [receiver],
        retry: { schedule: [] },
      });
      transcripts.push(await transcriptOf(dispatcher, (count) => receiver.failNext(count)));
    }
    await pool.query(`drop schema ${schema} cascade`);
    expect(transcripts[0]).toContain('"replayed": 2');
    expect(transcripts[1]).toBe(transcripts[0]);
  });
});
