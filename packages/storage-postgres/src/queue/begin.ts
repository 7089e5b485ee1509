import type { Claim, DeliveryStore } from '@posthorn/core/storage';
import { arrayOf, plainArrayOf, rowsOf } from '../client/arrays.js';
import type { Database } from '../client/database.js';
import { isQueued } from '../client/given-rows.js';
import { beginning, dateOf, msOf } from '../client/values.js';
import { type LeasedRow, leasedRows } from './settle.js';
import { isHeld } from './settle-texts.js';

/** The change to a row `q` whose attempt begins, unless it has begun under this lease. */
const begins = `attempts = q.attempts + case when q.begun_at is null then 1 else 0 end,
  begun_at = coalesce(q.begun_at, ${beginning})`;

/** Begins attempts, as `DeliveryStore` requires. The deliveries of a digest begin with it. */
export function beginner(db: Database): DeliveryStore['begin'] {
  const textWith = (members: string): string => `
    with begun as (
      update $.queue q set ${begins}
      from ${rowsOf('g', { event: 'text', binding: 'text', lease: 'bigint' })}
      where ${isHeld} and q.due_at > $now + $4::float8 * interval '1 millisecond'
      returning g.n, g.event, g.binding
    )${members}
    select ${msOf(beginning)} as at,
      case when count(*) < cardinality($1::text[]) then coalesce(json_agg(n), '[]')::text end as begun
    from begun`;
  const begin = db.statement(textWith(''));
  const beginDigests = db.statement(
    textWith(`, members as (
      update $.queue q set ${begins}
      from json_to_recordset($5::json) as m(digest text, event text, binding text, lease bigint)
      where ${isQueued('m.event', 'm.binding')} and q.lease = m.lease
        and (m.digest, m.binding) in (select event, binding from begun)
    )`),
  );

  return async (claims: readonly Claim[], leftMs: number) => {
    const given = leasedRows(claims);
    const values = [...leaseArrays(given), leftMs];
    // The deliveries of a digest share its lease.
    const members = given.flatMap(({ n, event: digest, binding, lease }) =>
      (claims[n]!.digest ?? []).map(({ id: event }) => ({ digest, event, binding, lease })),
    );
    const [row] =
      members.length > 0
        ? await db.run(beginDigests, [...values, JSON.stringify(members)])
        : await db.run(begin, values);
    const at = dateOf(row!.at);
    // Mostly all have begun, and are not listed then.
    const places: number[] | undefined = row!.begun === null ? undefined : JSON.parse(row!.begun);
    const begun = places ? places.map((place) => given[place - 1]!) : given;
    return { begun: begun.sort((a, b) => a.n - b.n).map(({ n }) => claims[n]!), at };
  };
}

/** Returns the rows as arrays of their events, bindings and leases. */
const leaseArrays = (rows: readonly LeasedRow[]): string[] => [
  arrayOf(rows.map(({ event }) => event)),
  arrayOf(rows.map(({ binding }) => binding)),
  plainArrayOf(rows.map(({ lease }) => lease)),
];
