/*
 * How a client converts a value depends on its settings, and an application may have told its own client to rename
 * columns. Therefore:
 *
 * - times are sent and read as text, in milliseconds since the Unix epoch;
 * - booleans are read as numbers;
 * - numbers are read by `Number`, whatever type the client returns;
 * - no column that is read in the caller's transaction has an underscore in its name.
 */

/** The SQL that reads the timestamp `column`. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint::text`;

/** The time when an attempt begins, to the millisecond, which is how precisely it is reported. */
export const beginning = `date_trunc('milliseconds', $now)`;

export const dateOf = (ms: string): Date => new Date(Number(ms));

export const dateOrNull = (ms: string | null): Date | null => (ms === null ? null : dateOf(ms));

export const numberOrNull = (value: number | string | null): number | null =>
  value === null ? null : Number(value);

/**
 * The SQL of a new row's position: the next of the sequence, or one after `last`, the tenant's last position, where the
 * sequence is behind. It is behind after a restore or a logical replication, which do not carry sequences.
 */
export const newPosition = (sequence: string, last: string): string => `(
  select case when n > last then n else (select max(nextval('$.${sequence}')) from generate_series(n, last)) end
  from (select nextval('$.${sequence}') as n, coalesce((${last}), 0) as last offset 0) p)`;
