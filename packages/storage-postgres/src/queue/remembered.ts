import { checkFingerprint, type NewEvent, type PublishResult } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { few } from '../client/given-rows.js';
import type { Transaction } from '../client/queryable.js';
import { keyOf } from './batch.js';

/** The event that an earlier call stored under an idempotency key. */
interface Remembered {
  readonly published: PublishResult;
  readonly fingerprint: string;
}

/**
 * Returns the events that no earlier call stored under their keys, and whether any of them has a key. Adds the results
 * of the others. Rejects with `idempotency_conflict`.
 */
export type WithoutRemembered = (
  events: readonly NewEvent[],
  results: Map<NewEvent, PublishResult>,
  tx: Transaction | undefined,
) => Promise<{ readonly fresh: readonly NewEvent[]; readonly isKeyed: boolean }>;

export function withoutRemembered(db: Database): WithoutRemembered {
  const statement = db.statement(`
    select k.tenant_id as tenant, k.key, k.fingerprint, k.event_id as event, k.deliveries
    from json_to_recordset($1::json) as g(n integer, tenant text, key text)
    cross join lateral (
      select * from $.idempotency_keys where tenant_id = g.tenant and key = g.key offset 0
    ) k
    where ${few('g.n')} and k.remembered_at >= $now - interval '24 hours'`);
  return async (events, results, tx) => {
    const keyed = events.filter(({ idempotencyKey }) => idempotencyKey !== undefined);
    if (keyed.length === 0) return { fresh: events, isKeyed: false };
    const keys = keyed.map(({ tenantId, idempotencyKey: key }, n) => ({ n, tenant: tenantId, key }));
    const rows = await db.run(statement, [JSON.stringify(keys)], tx);
    const known = new Map<string, Remembered>(
      rows.map((row) => [
        keyOf(row.tenant, row.key),
        {
          published: { eventId: row.event, deliveries: Number(row.deliveries) },
          fingerprint: row.fingerprint,
        },
      ]),
    );
    const fresh = events.filter((event) => {
      const earlier = known.get(keyOf(event.tenantId, event.idempotencyKey ?? ''));
      if (event.idempotencyKey === undefined || !earlier) return true;
      checkFingerprint(event, earlier.fingerprint);
      results.set(event, earlier.published);
      return false;
    });
    return { fresh, isKeyed: fresh.some(({ idempotencyKey }) => idempotencyKey !== undefined) };
  };
}
