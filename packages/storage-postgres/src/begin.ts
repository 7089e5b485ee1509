import type { Claim, DeliveryStore } from '@posthorn/core';
import type { Database } from './database.js';
import { isQueued } from './given-rows.js';
import { leasedRows } from './settle.js';
import { isHeld } from './settle-texts.js';
import { dateOf, msOf } from './values.js';

/** When an attempt begins: to the millisecond, as it is told. */
export const beginning = `date_trunc('milliseconds', $now)`;

/** The change of a row `q` whose attempt begins, unless it has under this lease. */
const begins = `attempts = q.attempts + case when q.begun_at is null then 1 else 0 end,
  begun_at = coalesce(q.begun_at, ${beginning})`;

/** Begins attempts: as `DeliveryStore` says. A digest begins with all that is in it. */
export function beginner(db: Database): DeliveryStore['begin'] {
  const textWith = (members: string): string => `
    with begun as (
      update $.queue q set ${begins}
      from json_to_recordset($1::json) as g(n integer, event text, binding text, lease bigint)
      where ${isHeld} and q.due_at > $now + $2::float8 * interval '1 millisecond'
      returning g.n, g.event, g.binding
    )${members}
    select coalesce(json_agg(n), '[]')::text as begun, ${msOf(beginning)} as at from begun`;
  const begin = db.statement(textWith(''));
  const beginDigests = db.statement(
    textWith(`, members as (
      update $.queue q set ${begins}
      from json_to_recordset($3::json) as m(digest text, event text, binding text, lease bigint)
      where ${isQueued('m.event', 'm.binding')} and q.lease = m.lease
        and (m.digest, m.binding) in (select event, binding from begun)
    )`),
  );

  return async (claims: readonly Claim[], leftMs: number) => {
    const given = leasedRows(claims);
    // What is in a digest has its lease, too.
    const members = given.flatMap(({ n, event: digest, binding, lease }) =>
      (claims[n]!.digest ?? []).map(({ id: event }) => ({ digest, event, binding, lease })),
    );
    const [row] =
      members.length > 0
        ? await db.run(beginDigests, [JSON.stringify(given), leftMs, JSON.stringify(members)])
        : await db.run(begin, [JSON.stringify(given), leftMs]);
    const begun: number[] = JSON.parse(row!.begun);
    return { begun: begun.sort((a, b) => a - b).map((n) => claims[n]!), at: dateOf(row!.at) };
  };
}
