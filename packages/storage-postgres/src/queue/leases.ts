import { randomInt } from 'node:crypto';
import type { Claim } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';
import { hasKey } from '../client/given-rows.js';
import { isMember, withMembers } from './digests.js';

/*
 * A lease is a random number, shared by everything that one call claims. A token is the lease and the delivery for
 * which it was issued, so that it is valid for no other.
 */

export const newLease = (): number => randomInt(2 ** 48 - 1);

export const tokenOf = (lease: number, deliveryId: string): string => `${lease}.${deliveryId}`;

/** Returns undefined for a text that is not a token of this delivery. */
export function leaseOf({ token, deliveryId }: Pick<Claim, 'token' | 'deliveryId'>): number | undefined {
  const end = token.length - deliveryId.length - 1;
  if (end < 1 || end > 15 || token[end] !== '.' || !token.endsWith(deliveryId)) return undefined;
  const lease = Number(token.slice(0, end));
  return Number.isSafeInteger(lease) ? lease : undefined;
}

/**
 * Releases deliveries that were leased and cannot be sent, as if they had never been leased: due and deferred as
 * before, by default due now. Never rejects, because a lease ends by itself.
 */
export type Release = (
  lease: number,
  events: readonly { readonly id: string; readonly due?: number; readonly since?: number | null }[],
) => Promise<void>;

/** The change to a row `q` that is released. */
const given = `lease = null, begun_at = null,
  attempts = q.attempts - case when q.begun_at is null then 0 else 1 end`;

export function releaser(db: Database): Release {
  const statement = db.statement(`
    with released as (
      update $.queue q set ${given}, is_ready = true, due_at = coalesce(to_timestamp(g.due / 1000), $now),
        put_off_since = case when g.due is null then put_off_since else to_timestamp(g.since / 1000) end
      from json_to_recordset($1::json) as g(event text, due float8, since float8)
      where ${hasKey('q', { event_id: 'g.event' })} and q.lease = $2::bigint
      returning q.event_id, q.binding_id
    ), members as ${withMembers('released r', 'r.binding_id', 'r.event_id')}
    -- The deliveries of a digest were leased with it, and may have begun.
    update $.queue q set ${given}
    from members m where starts_with(m.event_id, 'dig_') and ${isMember('m')}
      and q.lease = $2::bigint`);
  return async (lease, events) => {
    await db
      .run(statement, [
        JSON.stringify(events.map(({ id, due, since }) => ({ event: id, due, since }))),
        lease,
      ])
      .catch(() => {});
  };
}
