import { withDeadline } from '@posthorn/core/storage';
import { cancelRunning } from './cancel.js';
import { cancelledLate, lateAnswer, leftOpen, poolBusy, queryCanceled } from './faults.js';
import type { PgClient, PgPool, PgQuery } from './pg-client.js';
import type { Answer } from './queryable.js';

/** How long a statement may take to end after a cancel request. Then its connection is dropped. */
const endingMs = 1_000;

export interface QueryLimits {
  /**
   * The time limit for waiting for a connection, for clearing it, and for the answer to a statement that has a limit.
   */
  readonly timeoutMs: number;
  /** Whether the statement has no time limit. */
  readonly isUnbounded: boolean;
}

/**
 * Runs a statement on a connection of the pool. A statement that takes too long is cancelled on the server, so that no
 * session keeps running for a caller that has given up. `onClient` is called with the connection before it is used.
 */
export async function queryWithin(
  pool: PgPool,
  query: PgQuery,
  { timeoutMs, isUnbounded }: QueryLimits,
  onClient: (client: PgClient) => void,
): Promise<Answer> {
  const connecting = pool.connect();
  const client = await withDeadline(connecting, timeoutMs, () => {
    void connecting.then((late) => late.release()).catch(() => {});
    throw Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: poolBusy });
  });
  onClient(client);
  let isHealthy = false;
  let isLate = false;
  const inTime = (running: Promise<Answer>): Promise<Answer> =>
    withDeadline(running, timeoutMs, async () => {
      isLate = true;
      await cancelRunning(pool, client);
      return withDeadline(running, endingMs, () => {
        throw tooLate(lateAnswer, timeoutMs);
      });
    });
  try {
    const status = client.getTransactionStatus?.();
    // The connection was returned to the pool in an open transaction, which would never commit what is written in it.
    if (status === 'T' || status === 'E') {
      await inTime(client.query({ text: 'rollback', values: [] })).finally(() => {
        if (isLate) throw tooLate(leftOpen, timeoutMs);
      });
    }
    const running = client.query(query);
    const answer = await (isUnbounded ? running : inTime(running));
    // If the statement has ended by itself, the cancel request may still hit the next one.
    isHealthy = !isLate;
    return answer;
  } catch (error) {
    const isCancelled = isLate && codeOf(error) === queryCanceled;
    isHealthy = isCancelled || (!isLate && isRefusal(error));
    throw isCancelled ? tooLate(cancelledLate, timeoutMs, error) : error;
  } finally {
    client.release(!isHealthy);
  }
}

const tooLate = (code: string, timeoutMs: number, cause?: unknown): Error =>
  Object.assign(new Error(`no answer within ${timeoutMs} ms`, { cause }), { code });

const codeOf = (error: unknown): string => ((error ?? {}) as { code?: string }).code ?? '';

/** Whether the server refused the statement, which leaves the session usable. */
const isRefusal = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test(codeOf(error)) && !/^(?:08|53|57P|58|XX)|^EPIPE/.test(codeOf(error));
