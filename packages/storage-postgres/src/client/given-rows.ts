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
 * - An index that has a column second, or covers more rows, looks as cheap as the one that was made for the statement.
 *   So the indexes of chains and digests are made of names that no other index has (`named`, 0022_chains.sql).
 * - Statements that only read look up each key in `cross join lateral (… offset 0)`, which cannot be reordered either.
 * - Where only the first rows in an order are wanted, `fromFirst` makes the planner walk along the index of that order.
 * - Whether a row exists is tested by `(select true … limit 1) is null`, because `not exists` would become a join.
 *
 * A sequential scan is as cheap as a look-up in two cases: in a file of a few pages, and where the index is large for
 * the rows that were counted. The tables are designed so that neither happens (0011_pages.sql), and the queue always
 * has rows to count (0022_chains.sql).
 */

/**
 * A condition that is always true for the number of a given row, and only affects the planner: it expects one row in
 * two hundred of each of the two ranges, so about one where it would have expected a thousand. So the plan begins with
 * the given rows, and a statement that runs for a millisecond is not JIT-compiled.
 */
export const few = (number: string): string =>
  `${number} between 0 and 1000000 and -${number} between -1000000 and 0`;

/**
 * Joins a table with one row, and only affects the planner: it makes the planner expect a thousand rows for each of the
 * table's, and more than the limit for a batch. So to walk along an index from its first row, and to stop at the limit,
 * is cheaper than to read all rows and sort them, however few the table was counted to have. Without an order, it would
 * make reading the table from its beginning cheap.
 */
export const fromFirst = "cross join generate_subscripts('{0}'::integer[], 1) one";
export const batchFromFirst: string = `${fromFirst} cross join generate_subscripts('{0}'::integer[], 1) batch`;

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

/** The name of a part of a binding's rows, as `queue_chains`, for example, has it: `a` is its kind. */
export const named = (binding: string, kind: string, part: string): string =>
  `(${binding} || ':${kind}:' || ${part})`;

/** The condition that `q` is the row of the queue with this event and binding. */
export const isQueued = (event: string, binding: string): string =>
  hasKey('q', { event_id: event, binding_id: binding });

/** The condition that `q` is the row of the queue of which `row` is a copy. */
export const isOfRow = (row: string): string => isQueued(`${row}.event_id`, `${row}.binding_id`);
