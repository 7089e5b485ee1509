/*
 * How a statement finds the rows of a large table by given keys, at a constant cost for each, whatever the planner
 * estimates for that table.
 *
 * A queue that is vacuumed while it is empty counts as one row until the next vacuum, and a connection keeps its plans
 * for as long. Reading the whole queue, by a scan or along an index, then looks as cheap as one look-up, and costs
 * thousands of times as much once a burst has come. So no statement leaves the planner that choice:
 *
 * - Statements that write join the given rows by `hasKey`. Neither a hash join nor a merge join can use `= any
 *   (array[…])`, and walking the whole index is useless without a merge. That leaves nested loops. Of these, `few`
 *   selects the ones that look up each key by the index: it keeps the given rows, of a function or a materialized
 *   query, on the outer side by an estimate of one row.
 * - Other conditions on those rows are written in a form that matches no index, nor a partial one (`case when … end`).
 *   Along the index of waiting deliveries, for example, each given row would step over all of them.
 * - Statements that only read look up each key in `cross join lateral (… offset 0)`, which cannot be reordered either.
 * - Whether a row exists is tested by `(select true … limit 1) is null`, because `not exists` would become a join.
 *
 * A sequential scan is as cheap as a look-up in two cases: in a file of a few pages, and where the index is large for
 * the rows that were counted. The tables are designed so that neither happens (0011_pages.sql).
 */

/**
 * A condition that is always true for the number of a given row, and only affects the planner: it makes the planner
 * expect about one row where it would have expected a hundred. So the plan begins with the given rows, and a statement
 * that runs for a millisecond is not JIT-compiled.
 */
export const few = (number: string): string => `${number} between 0 and 1000000`;

/**
 * The condition that `row` has these values in these columns. The columns are the leading ones of one of its indexes,
 * in order, and the values come from a given row. See above for the form.
 */
export function hasKey(row: string, columns: Readonly<Record<string, string>>): string {
  const [[leading, value], ...others] = Object.entries(columns) as [[string, string], ...[string, string][]];
  return [
    few(`length(${value})`),
    `${row}.${leading} = any (array[${value}])`,
    ...others.map(([column, other]) => `${row}.${column} = ${other}`),
  ].join(' and ');
}

/** The condition that `q` is the row of the queue with this event and binding. */
export const isQueued = (event: string, binding: string): string =>
  hasKey('q', { event_id: event, binding_id: binding });

/** The condition that `q` is the row of the queue of which `row` is a copy. */
export const isOfRow = (row: string): string => isQueued(`${row}.event_id`, `${row}.binding_id`);
