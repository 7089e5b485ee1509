/*
 * How a statement finds the rows of a large table that it was given the keys of, at the same cost for each whatever the
 * planner believes of that table. A queue that is vacuumed while it is empty counts as one row until the next time, and
 * a connection keeps its plans for as long. Reading all of the queue, by a scan or along an index, then looks as cheap
 * as one look-up, and costs thousands of times as much when a burst has come. So no statement leaves that choice:
 *
 * - Those that write join what was given by `hasKey`. Neither a hash join nor a merge join can use `= any (array[…])`,
 *   and to go along the whole index is of no use without a merge. What is left are nested loops, and of those the ones
 *   that look up each key by the index, as `few` keeps the given rows the outer side: those of a function or of a
 *   materialized query, of which it leaves one.
 * - What they ask of those rows besides is in no form that leads to an index, nor to a partial one (`case when … end`):
 *   along that of what waits, say, each given row would step over all that does.
 * - Those that only read look up each key in `cross join lateral (… offset 0)`, which cannot be turned round either.
 * - Whether there is a row is asked by `(select true … limit 1) is null`, as `not exists` would become a join.
 *
 * A sequential scan is as cheap as a look-up in a file of a few pages, and where the index is large for the rows that were
 * counted. The tables are made so that neither happens (0011_pages.sql).
 */

/**
 * True of the number that each given row has, and there for the planner only, which by it expects a row or so where it
 * would have expected a hundred. So it begins with the given rows, and does not compile a statement that runs for a
 * millisecond.
 */
export const few = (number: string): string => `${number} between 0 and 1000000`;

/**
 * That `row` has these values in these columns, the leading ones of one of its indexes in their order, where the values
 * are those of a given row. See above for the form.
 */
export function hasKey(row: string, columns: Readonly<Record<string, string>>): string {
  const [[leading, value], ...others] = Object.entries(columns) as [[string, string], ...[string, string][]];
  return [
    few(`length(${value})`),
    `${row}.${leading} = any (array[${value}])`,
    ...others.map(([column, other]) => `${row}.${column} = ${other}`),
  ].join(' and ');
}

/** That `q` is the row of the queue that `given` names by these two expressions. */
export const isQueued = (event: string, binding: string): string =>
  hasKey('q', { event_id: event, binding_id: binding });

/** That `q` is the row of the queue that `row` is a copy of. */
export const isOfRow = (row: string): string => isQueued(`${row}.event_id`, `${row}.binding_id`);
