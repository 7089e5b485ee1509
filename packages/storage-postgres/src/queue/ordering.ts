import type { Database, Statement } from '../client/database.js';
import { few, fromFirst, isOfRow, named } from '../client/given-rows.js';
import type { ReadyWebhook } from './ready-webhooks.js';

/*
 * Deliveries to one channel binding with one ordering key are a chain, in the order of `position`. Only a delivery that
 * may go is in a lane; those behind it are held.
 *
 * When something in a chain changes, `advanceChains` lets the next delivery in. It is a statement of its own, which
 * sees what was committed before it. Publisher and settler both call it after their commit, so the later one sees the
 * other's rows. Where neither lives to call it, or the publisher is the caller's transaction, the alarm of the held
 * delivery does the same. Whether a delivery may go is checked again when it is claimed.
 */

export interface Chain {
  readonly bindingId: string;
  readonly orderingKey: string;
}

/** The parts of a chain that have an index each, with its kind of names and its condition on the row `o`. */
const parts = {
  all: { kind: 'a', condition: 'true' },
  heads: { kind: 'h', condition: 'not o.yields' },
  held: { kind: 'w', condition: 'o.is_held' },
  inFlight: { kind: 'f', condition: 'o.lease is not null' },
};

/** The condition that the row `o` is in this part of a chain. */
function isIn(part: keyof typeof parts, bindingId: string, orderingKey: string): string {
  const { kind, condition } = parts[part];
  return `${named('o.binding_id', kind, 'o.ordering_key')} = ${named(bindingId, kind, orderingKey)} and ${condition}`;
}

/** The condition that the chain has a delivery that does not yield and meets `condition` on `o`. */
export const hasHead = (bindingId: string, orderingKey: string, condition = 'true'): string => `((
    select true from $.queue o ${fromFirst}
    where ${isIn('heads', bindingId, orderingKey)} and ${condition}
    order by o.position limit 1) is not null)`;

/**
 * The condition that a delivery which does not yield is before the row `q` in its chain. The event's id orders rows
 * with the same position.
 */
const isBehind = (q: string): string =>
  hasHead(
    `${q}.binding_id`,
    `${q}.ordering_key`,
    `(o.position, o.event_id) < (${q}.position, ${q}.event_id)`,
  );

/** The condition that a delivery of the chain is in flight. */
export const isInFlight = (bindingId: string, orderingKey: string): string => `((
    select true from $.queue o
    where ${isIn('inFlight', bindingId, orderingKey)}) is not null)`;

/**
 * The condition that the row `q` may go: it has no ordering key, or no delivery of its chain is in flight and all
 * earlier ones yield. A delivery that was in flight continues when its lease expires, even if an earlier one was
 * committed meanwhile: that one waits for it.
 */
export const mayGo = `(q.ordering_key is null or q.lease is not null
    or (not ${isBehind('q')} and not ${isInFlight('q.binding_id', 'q.ordering_key')}))`;

/**
 * The SQL of a new position at the end of a chain. `place`, from 1, numbers several new deliveries of one chain. The
 * position follows the waiting ones even where the sequence is behind, as after a restore or a logical replication,
 * which do not carry sequences.
 */
export const chainPosition = (bindingId: string, orderingKey: string, place: string): string =>
  `greatest(nextval('$.queue_position'), ${place} + (
          select o.position from $.queue o ${fromFirst}
          where ${isIn('all', bindingId, orderingKey)}
          order by o.position desc limit 1))`;

/** Returns each chain once, in an order that all callers share, so that two of them never deadlock. */
export function chainsOf(chains: readonly Chain[]): Chain[] {
  const byName = new Map(chains.map((chain) => [`${chain.bindingId}\n${chain.orderingKey}`, chain]));
  return [...byName.keys()].sort().map((name) => byName.get(name)!);
}

const statements = new WeakMap<Database, Statement>();

/**
 * Lets the first held delivery of each chain into its lane, where no earlier one blocks it. Resolves to those lanes.
 */
export async function advanceChains(
  db: Database,
  chains: readonly Chain[],
): Promise<readonly ReadyWebhook[]> {
  if (chains.length === 0) return [];
  let statement = statements.get(db);
  if (!statement) {
    // Found by its key: a concurrent look that defers it only makes this statement wait.
    statement = db.statement(`
      with next as materialized (
        select n.event_id, n.binding_id
        from json_to_recordset($1::json) as c(n integer, binding text, ordering text)
        cross join lateral (
          select o.* from $.queue o ${fromFirst}
          where ${isIn('held', 'c.binding', 'c.ordering')}
          order by o.position, o.event_id limit 1
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
