import { isPosthornError, PosthornError } from '@posthorn/core';

/**
 * What went wrong, and what may be done about it: nothing was written and the statement may simply be tried again
 * (`conflict`); the connection went away and nobody knows whether it was written (`lost`); the server knows no
 * prepared statements, as behind a pooler (`unprepared`); an idempotency key was taken meanwhile (`refused`).
 */
type FaultKind = 'conflict' | 'lost' | 'unprepared' | 'refused' | 'other';

export interface Fault {
  readonly kind: FaultKind;
  readonly error: PosthornError;
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const kinds: Readonly<Record<string, FaultKind>> = {
  '40001': 'conflict', // serialization_failure
  '40P01': 'conflict', // deadlock_detected
  '23505': 'conflict', // unique_violation: two workers wanted the next of one ordering key
  '26000': 'unprepared', // invalid_sql_statement_name
  '42P05': 'unprepared', // duplicate_prepared_statement
  PH001: 'refused',
  '57P01': 'lost', // admin_shutdown
  '57P02': 'lost', // crash_shutdown
  '08006': 'lost', // connection_failure
  '08003': 'lost', // connection_does_not_exist
  ECONNRESET: 'lost',
  EPIPE: 'lost',
};

/** What `pg` says when a connection ends under a statement; it gives no code. */
const lostMessage = /^(Connection terminated|Client has encountered a connection error)/;

/** Codes of a schema that is not there, or not of this version: schema, table, column, function. */
const unmigrated = new Set(['3F000', '42P01', '42703', '42883']);

export function faultOf(error: unknown, schema: string, { isInTransaction = false } = {}): Fault {
  if (isPosthornError(error)) return { kind: 'other', error };
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  const kind = kinds[code] ?? (lostMessage.test(message) ? 'lost' : 'other');
  const description =
    isInTransaction && kind === 'conflict'
      ? 'another transaction was in the way of yours; roll back, and run it again'
      : describe(kind, code, schema);
  return { kind, error: new PosthornError('storage_failed', description, { cause: error }) };
}

function describe(kind: FaultKind, code: string, schema: string): string {
  if (unmigrated.has(code)) {
    return `schema ${schema} is not that of this version; call migrate() of the storage first`;
  }
  if (code === '25006')
    return 'the database takes no writes now, as after a failover; point the pool at the primary';
  if (code === '55P03')
    return 'other transactions held its tables for too long; end them, or try again later';
  if (code === 'ECONNREFUSED' || code === '57P03') return 'Postgres cannot be reached';
  if (kind === 'lost') return 'the connection to Postgres was lost';
  if (kind === 'conflict') return 'other transactions were in the way each time';
  return code === '' ? 'a statement failed' : `a statement failed with code ${code}`;
}
