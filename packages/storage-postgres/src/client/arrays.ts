/*
 * Rows that are many and alike go to Postgres as an array for each column: `unnest` reads them in less than half of the
 * time that JSON takes. As text, which every client passes on as it is.
 */

/** The array as Postgres reads it. */
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

/** The array of what needs no quotes: numbers, and ids of our own. */
export const plainArrayOf = (values: readonly (string | number | boolean)[]): string =>
  `{${values.join(',')}}`;

/** What needs no quotes: ids, mostly. */
const isPlain = /^(?!null$)\w+$/i;

/** The rows of the parameters `$1` and up, each an array of these types, as `row`, with their number `n` from 1. */
export function rowsOf(row: string, columns: Readonly<Record<string, string>>): string {
  const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${type}[]`);
  return `unnest(${arrays.join(', ')}) with ordinality as ${row}(${Object.keys(columns).join(', ')}, n)`;
}
