import { createHash } from 'node:crypto';
import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/storage';
import { faultOf, isUniqueViolation } from './faults.js';
import { checkOpen } from './open.js';
import { isPgPool } from './pg-client.js';
import { queryWithin } from './pg-pool.js';
import type { Answer, Pool, Transaction } from './queryable.js';

export interface DatabaseOptions {
  readonly schema: string;
  /** Whether statements are prepared under a name. */
  readonly prepare: boolean;
  readonly timeoutMs: number;
  /** How far the storage's clock is ahead of the database's, in milliseconds. */
  readonly clockOffset: (() => number) | undefined;
}

/** A statement of the storage. In its text, `$now` is the storage's clock and `$.` is the schema. */
export interface Statement {
  readonly text: string;
  readonly name: string;
  /** Whether running it twice has the same effect as once, so that it may be retried when its answer was lost. */
  readonly isRepeatable: boolean;
  /** Whether it has no time limit: it changes the schema, and waits for locks only briefly. */
  readonly isUnbounded: boolean;
  /** Whether its caller handles unique violations, which are not retried then. */
  readonly expectsUniqueViolation: boolean;
}

type StatementOptions = Partial<Omit<Statement, 'text' | 'name'>>;

/**
 * Returns the statements of one kind, whose text depends on what a call needs. Each is created when it is first used.
 */
export function statementsOf<Shape>(
  db: Database,
  textOf: (shape: Shape) => string,
  options?: StatementOptions,
): (shape: Shape) => Statement {
  const made = new Map<string, Statement>();
  return (shape) => {
    const key = JSON.stringify(shape);
    const known = made.get(key) ?? db.statement(textOf(shape), options);
    made.set(key, known);
    return known;
  };
}

const maxConflicts = 20;
const maxLost = 2;
/**
 * How long unsent statements are retried: while others return connections to the pool, and while a pooler restarts.
 */
const unsentMs = { crowded: 5_000, away: 1_500 };

/** Runs statements on a connection of the pool, or in the caller's transaction. */
export class Database {
  readonly #pool: Pool;
  readonly #options: DatabaseOptions;
  #prepares: boolean;

  constructor(pool: Pool, options: DatabaseOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#prepares = options.prepare;
    ignoreErrorsOf(pool);
  }

  /**
   * Creates a statement for `run`, with the schema in its text. A named statement is parsed and planned once per
   * connection.
   */
  statement(
    text: string,
    { isRepeatable = true, isUnbounded = false, expectsUniqueViolation = false }: StatementOptions = {},
  ): Statement {
    const { schema, clockOffset } = this.#options;
    const inSchema = text.replaceAll('$.', `"${schema}".`);
    const full = clockOffset ? inSchema : inSchema.replaceAll('$now', 'statement_timestamp()');
    const name = `ph_${createHash('sha1').update(full).digest('hex').slice(0, 20)}`;
    return { text: full, name, isRepeatable, isUnbounded, expectsUniqueViolation };
  }

  /** Runs a statement, and resolves to its rows. Rejects with `storage_failed`, whose message has the remedy. */
  async run(statement: Statement, values: readonly unknown[], tx?: Transaction): Promise<Answer['rows']> {
    if (tx !== undefined) return this.#runIn(tx, statement, values);
    const begin = performance.now();
    for (let conflicts = 0, lost = 0, unsent = 0; ; ) {
      const isNamed = this.#prepares;
      try {
        return rowsOf(await this.#send(statement, [...values], isNamed), 'pool');
      } catch (error) {
        const { kind, error: refusal } = faultOf(error, this.#options.schema);
        // Several named statements may have been in flight when the first of them was refused.
        if (kind === 'unprepared' && isNamed) this.#prepares = false;
        else if (statement.expectsUniqueViolation && isUniqueViolation(refusal)) throw refusal;
        else if (kind === 'conflict' && conflicts++ < maxConflicts) await backOff(conflicts);
        else if ((kind === 'crowded' || kind === 'away') && performance.now() - begin < unsentMs[kind]) {
          await backOff(++unsent);
        } else if (kind === 'lost' && statement.isRepeatable && lost++ < maxLost) await backOff(4 * lost);
        else throw refusal;
      }
    }
  }

  /** How far a test has moved the clock. */
  get clockOffset(): number {
    return this.#options.clockOffset?.() ?? 0;
  }

  #send({ text, name, isUnbounded }: Statement, values: unknown[], isNamed: boolean): Promise<Answer> {
    if (!isPgPool(this.#pool)) return this.#pool.query(this.#withClock(text), values);
    const { timeoutMs, clockOffset } = this.#options;
    const query = { text: this.#withClock(text), values, ...(isNamed && !clockOffset && { name }) };
    return queryWithin(this.#pool, query, { timeoutMs, isUnbounded }, ignoreErrorsOf);
  }

  async #runIn(tx: Transaction, { text }: Statement, values: readonly unknown[]): Promise<Answer['rows']> {
    await checkOpen(tx);
    ignoreErrorsOf(tx);
    let answer: Answer;
    try {
      answer = await tx.query(this.#withClock(text), [...values]);
    } catch (error) {
      throw faultOf(error, this.#options.schema, { isInTransaction: true }).error;
    }
    return rowsOf(answer, 'tx');
  }

  /** Writes a moved clock into the text. Only tests move it, and they need no prepared statements. */
  #withClock(text: string): string {
    if (!this.#options.clockOffset) return text;
    const offset = Math.round(this.clockOffset);
    return text.replaceAll('$now', `(statement_timestamp() + ${offset}::float8 * interval '1 millisecond')`);
  }
}

function rowsOf(answer: Answer | undefined, what: string): Answer['rows'] {
  if (Array.isArray(answer?.rows)) return answer.rows;
  const came = Array.isArray(answer) ? 'the rows themselves' : describeType(answer);
  throw new PosthornError(
    'invalid_option',
    `${what}.query must resolve to { rows }, like that of pg, not to ${came}`,
  );
}

/** The pools and clients with an error listener: several storages may share one. */
const listened = new WeakSet<object>();

/**
 * Ignores errors between statements: the next statement fails or uses another connection, so there is nothing to do
 * earlier.
 */
function ignoreErrorsOf(connections: Pick<Transaction, 'on'>): void {
  if (listened.has(connections)) return;
  listened.add(connections);
  connections.on?.('error', () => {});
}

/** Waits for a random time that grows with each try. */
const backOff = (tries: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(2 ** tries, 250) * (0.5 + Math.random())));
