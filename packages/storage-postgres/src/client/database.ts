import { createHash } from 'node:crypto';
import { kindOf, PosthornError } from '@posthorn/core';
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

/** A statement of the storage's; `$now` in it is the storage's clock, `$.` the schema. */
export interface Statement {
  readonly text: string;
  readonly name: string;
  /** Whether running it twice is as good as once, so that it may be tried again where its answer was lost. */
  readonly isRepeatable: boolean;
  /** Whether it may take as long as it takes: it changes the schema, and waits for no lock for long. */
  readonly isUnbounded: boolean;
  /** Whether its caller handles unique violations: then they are not tried again. */
  readonly expectsUniqueViolation: boolean;
}

type StatementOptions = Partial<Omit<Statement, 'text' | 'name'>>;

/** The statements of one kind, each made when it is first asked for: its text depends on what a call needs. */
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
/** How long to try again what was not sent: until others give a connection back; while a pooler starts again. */
const unsentMs = { crowded: 5_000, away: 1_500 };

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

  /** The rows that it answers. Rejects with `storage_failed` and what to do. */
  async run(statement: Statement, values: readonly unknown[], tx?: Transaction): Promise<Answer['rows']> {
    if (tx !== undefined) return this.#runIn(tx, statement, values);
    const begin = performance.now();
    for (let conflicts = 0, lost = 0, unsent = 0; ; ) {
      const isNamed = this.#prepares;
      try {
        return rowsOf(await this.#send(statement, [...values], isNamed), 'pool');
      } catch (error) {
        const { kind, error: refusal } = faultOf(error, this.#options.schema);
        // Several may have been under way under their names when the first of them was refused.
        if (kind === 'unprepared' && isNamed) this.#prepares = false;
        else if (statement.expectsUniqueViolation && isUniqueViolation(refusal)) throw refusal;
        else if (kind === 'conflict' && conflicts++ < maxConflicts) await shortly(conflicts);
        else if ((kind === 'crowded' || kind === 'away') && performance.now() - begin < unsentMs[kind]) {
          await shortly(++unsent);
        } else if (kind === 'lost' && statement.isRepeatable && lost++ < maxLost) await shortly(4 * lost);
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
    return queryWithin(this.#pool, query, { timeoutMs, isUnbounded }, hearErrorsOf);
  }

  async #runIn(tx: Transaction, { text }: Statement, values: readonly unknown[]): Promise<Answer['rows']> {
    await checkOpen(tx);
    hearErrorsOf(tx);
    let answer: Answer;
    try {
      answer = await tx.query(this.#withClock(text), [...values]);
    } catch (error) {
      throw faultOf(error, this.#options.schema, { isInTransaction: true }).error;
    }
    return rowsOf(answer, 'tx');
  }

  /** A moved clock is written into the statement: it is for tests, which need no prepared ones. */
  #withClock(text: string): string {
    if (!this.#options.clockOffset) return text;
    const offset = Math.round(this.clockOffset);
    return text.replaceAll('$now', `(statement_timestamp() + ${offset}::float8 * interval '1 millisecond')`);
  }
}

function rowsOf(answer: Answer | undefined, what: string): Answer['rows'] {
  if (Array.isArray(answer?.rows)) return answer.rows;
  const came = Array.isArray(answer) ? 'the rows themselves' : kindOf(answer);
  throw new PosthornError(
    'invalid_option',
    `${what}.query must resolve to { rows }, as that of pg does, not to ${came}`,
  );
}

/** Pools and clients that are listened to: several storages may share one. */
const heard = new WeakSet<object>();

/** A connection that ends between statements makes the next one fail, or is replaced: nobody need do anything before. */
function hearErrorsOf(connections: Pick<Transaction, 'on'>): void {
  if (heard.has(connections)) return;
  heard.add(connections);
  connections.on?.('error', () => {});
}

/** A wait that grows with each try and is never the same for two. */
const shortly = (tries: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(2 ** tries, 250) * (0.5 + Math.random())));
