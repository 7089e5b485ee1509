/*
 * Instants leave and enter as milliseconds since 1970, as text: what a client makes of a timestamp, a bigint or a
 * numeric depends on its settings.
 */

/** The SQL that reads the instant `column`. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint::text`;

export const dateOf = (ms: string): Date => new Date(Number(ms));

export const dateOrNull = (ms: string | null): Date | null => (ms === null ? null : dateOf(ms));
