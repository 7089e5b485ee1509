import { createIds, type NewEvent } from '@posthorn/core/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../../src/index.js';
import { hasPostgres, openDatabase, type TestDatabase } from '../database.js';

interface Plan {
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

describe.skipIf(!hasPostgres())('retention', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
  });

  const eventAt = (ms: number): NewEvent => ({
    id: createIds({ now: () => ms }).event(),
    tenantId: 't',
    type: 'order.created',
    payload: '{}',
    occurredAt: new Date(ms),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    matchingPatterns: [],
  });

  test('reads only rows that may be old enough', async () => {
    const seen: number[] = [];
    const readOf = (plan: Plan): number => {
      const own = plan['Relation Name']?.startsWith('events')
        ? (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']
        : 0;
      return own + (plan.Plans ?? []).reduce((sum, part) => sum + readOf(part), 0);
    };
    const watched = {
      async query(text: string, values?: unknown[]) {
        if (/delete from "\w+"\.events e /.test(text)) {
          const client = await database.pool.connect();
          await client.query('begin');
          const { rows } = await client.query(`explain (analyze, format json) ${text}`, values);
          await client.query('rollback');
          client.release();
          seen.push(readOf(rows[0]['QUERY PLAN'][0].Plan));
        }
        return database.pool.query(text, values);
      },
    };
    const storage = postgresStorage(watched, { schema: 'kept' });
    await storage.migrate();
    const now = Date.now();
    const events = Array.from({ length: 3_000 }, (_, i) => eventAt(now - i));
    await storage.deliveries.publish(events);
    await database.pool.query('vacuum analyze kept.events');
    expect(await storage.log.prune({ olderThanMs: 30 * dayMs, limit: 1_000 })).toBe(0);
    expect(seen[0]).toBe(0);
  });

  test('deletes what is old by the clock of the database, whichever process created the id', async () => {
    let offset = 0;
    const storage = postgresStorage(database.pool, { schema: 'skewed', clockOffset: () => offset });
    await storage.migrate();
    const now = Date.now();
    // Machines whose clocks are an hour ahead, and a year behind.
    const events = [eventAt(now), eventAt(now + hourMs - 60_000), eventAt(now - 365 * dayMs)];
    await storage.deliveries.publish(events);
    expect(await storage.log.prune({ olderThanMs: dayMs, limit: 10 })).toBe(0);
    offset = dayMs + 1_000;
    expect(await storage.log.prune({ olderThanMs: dayMs, limit: 10 })).toBe(3);
    expect(await storage.log.prune({ olderThanMs: 36_500 * dayMs, limit: 10 })).toBe(0);
  });
});
