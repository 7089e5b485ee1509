import { createHash } from 'node:crypto';
import { kindOf, PosthornError } from '@posthorn/core';
import { faultOf } from './faults.js';
import type { Answer, Pool, Transaction } from './queryable.js';

export interface DatabaseOptions {
  readonly schema: string;
  /** Whether statements are prepared under a name. */
  readonly prepare: boolean;
  readonly timeoutMs: number;
  /** How far the storage's clock is ahead of the database's, in milliseconds. */
  readonly clockOffset: (() => number) | undefined;
}

/** A statement of the storage's; `$now` in it is the storage's clock, `$.` the schema. */
export interface Statement {
  readonly text: string;
  readonly name: string;
  /** Whether running it twice is as good as once, so that it may be tried again where its answer was lost. */
  readonly isRepeatable: boolean;
}

const maxConflicts = 20;
const maxLost = 2;

/** Runs statements: on a connection of the pool's, or in the caller's transaction. */
export class Database {
  readonly #pool: Pool;
  readonly #options: DatabaseOptions;
  #prepares: boolean;

  constructor(pool: Pool, options: DatabaseOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#prepares = options.prepare;
    hearErrorsOf(pool);
  }

  /** For `run`: the text with its schema. Under its name it is parsed and planned once a connection. */
  statement(text: string, { isRepeatable = true } = {}): Statement {
    const { schema, clockOffset } = this.#options;
    const inSchema = text.replaceAll('$.', `"${schema}".`);
    const full = clockOffset ? inSchema : inSchema.replaceAll('$now', 'statement_timestamp()');
    const name = `ph_${createHash('sha1').update(full).digest('hex').slice(0, 20)}`;
    return { text: full, name, isRepeatable };
  }

  /** The rows that it answers. Rejects with `storage_failed` and what to do. */
  async run(statement: Statement, values: readonly unknown[], tx?: Transaction): Promise<Answer['rows']> {
    if (tx !== undefined) return this.#runIn(tx, statement, values);
    for (let conflicts = 0, lost = 0; ; ) {
      try {
        return (await this.#send(statement, [...values])).rows;
      } catch (error) {
        const fault = faultOf(error, this.#options.schema);
        if (fault.kind === 'unprepared' && this.#prepares) this.#prepares = false;
        else if (fault.kind === 'conflict' && conflicts++ < maxConflicts) await shortly(conflicts);
        else if (fault.kind === 'lost' && statement.isRepeatable && lost++ < maxLost) await shortly(4 * lost);
        else throw fault.error;
      }
    }
  }

  /** How far a test has moved the clock. */
  get clockOffset(): number {
    return this.#options.clockOffset?.() ?? 0;
  }

  #send({ text, name }: Statement, values: unknown[]): Promise<Answer> {
    if (!isPgPool(this.#pool)) return this.#pool.query(this.#withClock(text), values);
    const { timeoutMs, clockOffset } = this.#options;
    return this.#pool.query({
      text: this.#withClock(text),
      values,
      query_timeout: timeoutMs,
      ...(this.#prepares && !clockOffset && { name }),
    });
  }

  async #runIn(tx: Transaction, { text }: Statement, values: readonly unknown[]): Promise<Answer['rows']> {
    if (typeof tx?.query !== 'function') {
      throw new PosthornError(
        'invalid_option',
        `tx must have query(text, values), as a pg client has, not ${kindOf(tx)}; fromDrizzle, fromKysely, fromKnex, fromPrisma and fromTypeorm make one`,
      );
    }
    hearErrorsOf(tx);
    try {
      return (await tx.query(this.#withClock(text), [...values])).rows;
    } catch (error) {
      throw faultOf(error, this.#options.schema, { isInTransaction: true }).error;
    }
  }

  /** A moved clock is written into the statement: it is for tests, which need no prepared ones. */
  #withClock(text: string): string {
    if (!this.#options.clockOffset) return text;
    const offset = Math.round(this.clockOffset);
    return text.replaceAll('$now', `(statement_timestamp() + ${offset}::float8 * interval '1 millisecond')`);
  }
}

/** As `pg` takes a query besides the plain form: under a name, and with an end to its patience. */
interface PgPool {
  query(config: {
    readonly text: string;
    readonly values: unknown[];
    readonly name?: string;
    readonly query_timeout: number;
  }): Promise<Answer>;
}

const isPgPool = (pool: Pool | PgPool): pool is PgPool => 'totalCount' in pool && 'idleCount' in pool;

/** Pools and clients that are listened to: several storages may share one. */
const heard = new WeakSet<Pool | Transaction>();

/** A connection that ends between statements makes the next one fail, or is replaced: nobody need do anything before. */
function hearErrorsOf(connections: Pool | Transaction): void {
  if (heard.has(connections)) return;
  heard.add(connections);
  connections.on?.('error', () => {});
}

/** A wait that grows with each try and is never the same for two. */
const shortly = (tries: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(2 ** tries, 250) * (0.5 + Math.random())));
