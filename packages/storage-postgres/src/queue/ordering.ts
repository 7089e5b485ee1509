import type { Database, Statement } from '../client/database.js';
import { few, isOfRow } from '../client/given-rows.js';
import type { Lane } from './lanes.js';

/*
 * Deliveries to one channel binding with one ordering key are a chain, in the order of `position`. Only what may go
 * stands in a lane; what is behind it is held. When something of a chain moves, `advanceChains` lets the next one in,
 * in a statement of its own that sees what was committed before it. Publisher and settler both call it after their
 * commit, so whoever comes last sees the other; where neither lives to do it, or the publisher is the caller's own
 * transaction, a held delivery's alarm does. Whether it may really go is asked once more when it is claimed.
 */

export interface Chain {
  readonly bindingId: string;
  readonly orderingKey: string;
}

/** Of a chain: there is one in it that does not yield, and is as `condition` says of `o`. */
export const hasHead = (bindingId: string, orderingKey: string, condition = 'true'): string => `((
    select true from $.queue o where o.binding_id = ${bindingId} and o.ordering_key = ${orderingKey} and not o.yields
      and ${condition} order by o.position limit 1) is not null)`;

/** Of a row `q`: before it in its chain is one that does not yield. Of two with one position the event's id decides. */
const isBehind = (q: string): string =>
  hasHead(
    `${q}.binding_id`,
    `${q}.ordering_key`,
    `(o.position, o.event_id) < (${q}.position, ${q}.event_id)`,
  );

/** Of a chain: one of it is in flight. */
export const isInFlight = (bindingId: string, orderingKey: string): string => `((
    select true from $.queue o
    where o.binding_id = ${bindingId} and o.ordering_key = ${orderingKey} and o.lease is not null) is not null)`;

/**
 * Of a row `q`: it has no ordering key, or nothing of its chain is in flight, and what is earlier yields. One that is in
 * flight itself goes on when its lease is over, though something earlier was committed meanwhile: that one waits for it.
 */
export const mayGo = `(q.ordering_key is null or q.lease is not null
    or (not ${isBehind('q')} and not ${isInFlight('q.binding_id', 'q.ordering_key')}))`;

/**
 * The SQL of a new position at the end of a chain, which `place` says of several new ones of it, from 1. It follows what
 * waits also where the sequence lies behind, as after a restore or a logical replication, which carry no sequences.
 */
export const chainPosition = (bindingId: string, orderingKey: string, place: string): string =>
  `greatest(nextval('$.queue_position'), ${place} + (
          select o.position from $.queue o where o.binding_id = ${bindingId} and o.ordering_key = ${orderingKey}
          order by o.position desc limit 1))`;

/** Each chain once, in an order that all callers share: two of them never wait for each other. */
export function chainsOf(chains: readonly Chain[]): Chain[] {
  const byName = new Map(chains.map((chain) => [`${chain.bindingId}\n${chain.orderingKey}`, chain]));
  return [...byName.keys()].sort().map((name) => byName.get(name)!);
}

const statements = new WeakMap<Database, Statement>();

/** Lets the first held delivery of each chain into its lane, where nothing before it is in the way. Resolves to those lanes. */
export async function advanceChains(db: Database, chains: readonly Chain[]): Promise<readonly Lane[]> {
  if (chains.length === 0) return [];
  let statement = statements.get(db);
  if (!statement) {
    // By its key: a look that puts it off in the same instant only makes this wait.
    statement = db.statement(`
      with next as materialized (
        select n.event_id, n.binding_id
        from json_to_recordset($1::json) as c(n integer, binding text, ordering text)
        cross join lateral (
          select q.* from $.queue q
          where q.binding_id = c.binding and q.ordering_key = c.ordering and q.is_held
          order by q.position, q.event_id limit 1
        ) n where ${few('c.n')} and not ${isBehind('n')}
      )
      update $.queue q set is_held = false, is_ready = true, due_at = $now
      from next where ${isOfRow('next')} and q.is_held
      returning q.tenant_id, q.webhook_id`);
    statements.set(db, statement);
  }
  const rows = chains.map(({ bindingId, orderingKey }, n) => ({
    n,
    binding: bindingId,
    ordering: orderingKey,
  }));
  const ready = await db.run(statement, [JSON.stringify(rows)]);
  return ready.map((row) => ({ tenantId: row.tenant_id, webhookId: row.webhook_id }));
}
