import { isPosthornError, PosthornError } from '@posthorn/core';

/**
 * What went wrong, which decides whether to retry:
 *
 * - `conflict`: nothing was written, and the statement may simply be retried;
 * - `crowded`: it was not sent, because the server has no connection left;
 * - `away`: it was not sent, because the server is unreachable;
 * - `lost`: the connection ended, and whether the statement took effect is unknown;
 * - `unprepared`: the server has no prepared statement of this name, as behind a pooler;
 * - `refused`: another transaction took an idempotency key meanwhile.
 */
type FaultKind = 'conflict' | 'crowded' | 'away' | 'lost' | 'unprepared' | 'refused' | 'other';

export interface Fault {
  readonly kind: FaultKind;
  readonly error: PosthornError;
}

/**
 * The storage's own codes: no connection became free; the connection had an open transaction that did not end; the
 * statement was cancelled; the statement did not end after it was cancelled.
 */
export const poolBusy = 'POSTHORN_POOL_BUSY';
export const leftOpen = 'POSTHORN_LEFT_OPEN';
export const cancelledLate = 'POSTHORN_CANCELLED';
export const lateAnswer = 'POSTHORN_NO_ANSWER';
/** query_canceled */
export const queryCanceled = '57014';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const kinds: Readonly<Record<string, FaultKind>> = {
  '40001': 'conflict', // serialization_failure
  '40P01': 'conflict', // deadlock_detected
  '23505': 'conflict', // unique_violation: two workers chose the next delivery of one ordering key
  '26000': 'unprepared', // invalid_sql_statement_name
  '42P05': 'unprepared', // duplicate_prepared_statement
  PH001: 'refused',
  '53300': 'crowded', // too_many_connections
  '57P03': 'away', // cannot_connect_now
  ECONNREFUSED: 'away',
  '57P01': 'lost', // admin_shutdown
  '57P02': 'lost', // crash_shutdown
  '08006': 'lost', // connection_failure
  '08003': 'lost', // connection_does_not_exist
  ECONNRESET: 'lost',
  EPIPE: 'lost',
};

/** Errors of `pg` and poolers that have no code, by their messages. */
const messages: readonly (readonly [pattern: RegExp, code: string])[] = [
  [/^(?:Connection terminated|Client has encountered a connection error)/, '08006'],
  [/^timeout exceeded when trying to connect/, poolBusy],
  [/^Query read timeout/, lateAnswer],
  [/^Cannot use a pool after calling end|^PGlite is clos/, 'ended'],
  [/no more connections allowed/, '53300'],
  // PgBouncer, about a statement that it had sent to a server or was about to send.
  [/^(?:server conn crashed|server closed the connection|server login has been failing)/, '08006'],
];

const unmigrated = (schema: string): string =>
  `schema ${schema} does not match this version; call migrate() of the storage first`;
const lost = (): string => 'the connection to Postgres was lost';
const conflict = (): string => 'the statement conflicted with other transactions each time';
const unreachable = (): string => 'Postgres is unreachable';
const noEntry = (): string =>
  'Postgres refuses the login; correct user, password and database in the options of the pool';

/** The problem and the remedy, by code. */
const descriptions: Readonly<Record<string, (schema: string) => string>> = {
  '3F000': unmigrated,
  '42P01': unmigrated,
  '42703': unmigrated,
  '42883': unmigrated,
  PH002: encoding,
  '22021': encoding,
  '22P05': encoding,
  '25006': () => 'the database is read-only, as after a failover; point the pool at the primary',
  '25P02': () =>
    'an earlier statement of the transaction has failed; roll back, and run the transaction again',
  '28000': noEntry,
  '28P01': noEntry,
  '3D000': () => 'the database does not exist; create it, or correct its name in the options of the pool',
  '42501': (schema) =>
    `the database user lacks a right; grant the rights on schema ${schema} that docs/postgres.md lists`,
  '53100': () => 'the disk of Postgres is full, and nothing was stored; free space, or shorten `retention`',
  '53200': () => 'Postgres has no memory left for this; give it more, or claim and dispatch less at a time',
  '53300': () =>
    'Postgres has no connection left; raise max_connections, or make the pools of all processes smaller',
  '55P03': () => 'other transactions locked its tables for too long; end them, or try again later',
  [queryCanceled]: () =>
    'the statement was cancelled, by statement_timeout or by an administrator; raise statement_timeout for this user, or try again',
  [cancelledLate]: (schema) =>
    `the statement took longer than timeoutMs and was cancelled; pg_locks shows who locks the tables of schema ${schema}`,
  [lateAnswer]: () =>
    'Postgres did not answer within timeoutMs; whether the statement took effect is unknown',
  [poolBusy]: () =>
    'no connection of the pool became free in time; release connections sooner, or make the pool larger',
  [leftOpen]: () =>
    'a connection of the pool was given back in a transaction, which did not end within timeoutMs; nothing was stored; release connections only after commit or rollback',
  ended: () => 'the pool has been ended; stop the dispatcher before you end the pool',
  ECONNREFUSED: unreachable,
  '57P03': unreachable,
  ENOTFOUND: unreachable,
  ETIMEDOUT: unreachable,
};

function encoding(): string {
  return "the database's encoding cannot hold every text; create one with encoding 'UTF8' template template0, and use that";
}

export function faultOf(error: unknown, schema: string, { isInTransaction = false } = {}): Fault {
  if (isPosthornError(error)) return { kind: 'other', error };
  const { message = '', code = codeOf(message) } = (error ?? {}) as { code?: string; message?: string };
  const kind = kinds[code] ?? 'other';
  const description =
    isInTransaction && kind === 'conflict'
      ? 'another transaction was in the way of yours; roll back, and run it again'
      : describe(kind, code, schema);
  return { kind, error: new PosthornError('storage_failed', description, { cause: error }) };
}

/** Whether a statement failed because a row with its key exists already. */
export const isUniqueViolation = (error: unknown): boolean =>
  isPosthornError(error) && ((error.cause ?? {}) as { code?: string }).code === '23505';

const codeOf = (message: string): string => messages.find(([pattern]) => pattern.test(message))?.[1] ?? '';

function describe(kind: FaultKind, code: string, schema: string): string {
  const known = descriptions[code] ?? { lost, conflict }[kind as string];
  if (known) return known(schema);
  return code === '' ? 'a statement failed' : `a statement failed with code ${code}`;
}
