/*
 * Many rows of the same shape are sent to Postgres as one array per column: `unnest` reads them in less than half of
 * the time that JSON takes. The arrays are sent as text, which every client passes on unchanged.
 */

/** Formats an array as Postgres reads it. */
export function arrayOf(values: readonly (string | number | null | undefined)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) text += ',';
    if (value === undefined || value === null) text += 'null';
    else if (typeof value === 'number') text += value;
    else text += isPlain.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
  }
  return `${text}}`;
}

/** Formats an array of values that need no quotes: numbers, and ids of the engine. */
export const plainArrayOf = (values: readonly (string | number | boolean)[]): string =>
  `{${values.join(',')}}`;

/** Matches values that need no quotes, mostly ids. */
const isPlain = /^(?!null$)\w+$/i;

/**
 * The SQL of the rows in the parameters `$1` and up, each of which is an array of one of these types. The rows are
 * called `row`, and numbered from 1 by `n`.
 */
export function rowsOf(row: string, columns: Readonly<Record<string, string>>): string {
  const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${type}[]`);
  return `unnest(${arrays.join(', ')}) with ordinality as ${row}(${Object.keys(columns).join(', ')}, n)`;
}
