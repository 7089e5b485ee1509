/*
 * What a client makes of a value depends on its settings, and an application may have told its own to rename columns.
 * So instants leave and enter as milliseconds since 1970, as text; a boolean leaves as a number; numbers are read by
 * `Number`, whatever came; and no column that is answered in the caller's transaction has an underscore in its name.
 */

/** The SQL that reads the instant `column`. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint::text`;

/** When an attempt begins: to the millisecond, as it is told. */
export const beginning = `date_trunc('milliseconds', $now)`;

export const dateOf = (ms: string): Date => new Date(Number(ms));

export const dateOrNull = (ms: string | null): Date | null => (ms === null ? null : dateOf(ms));

export const numberOrNull = (value: number | string | null): number | null =>
  value === null ? null : Number(value);

/**
 * The SQL of a new row's position: the next of the sequence, or one that follows `last`, of its tenant, where the sequence
 * lies behind, as after a restore or a logical replication, which carry no sequences.
 */
export const newPosition = (sequence: string, last: string): string => `(
  select case when n > last then n else (select max(nextval('$.${sequence}')) from generate_series(n, last)) end
  from (select nextval('$.${sequence}') as n, coalesce((${last}), 0) as last offset 0) p)`;
