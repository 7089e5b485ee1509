/*
 * What a client makes of a value depends on its settings, and an application may have told its own to rename columns.
 * So instants leave and enter as milliseconds since 1970, as text; a boolean leaves as a number; numbers are read by
 * `Number`, whatever came; and no column that is answered in the caller's transaction has an underscore in its name.
 */

/** The SQL that reads the instant `column`. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint::text`;

export const dateOf = (ms: string): Date => new Date(Number(ms));

export const dateOrNull = (ms: string | null): Date | null => (ms === null ? null : dateOf(ms));

export const numberOrNull = (value: number | string | null): number | null =>
  value === null ? null : Number(value);
