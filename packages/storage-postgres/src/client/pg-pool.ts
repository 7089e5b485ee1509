import { cancelRunning } from './cancel.js';
import { cancelledLate, lateAnswer, leftOpen, poolBusy, queryCanceled } from './faults.js';
import type { PgClient, PgPool, PgQuery } from './pg-client.js';
import type { Answer } from './queryable.js';
import { withinTime } from './within-time.js';

/** After a request to cancel, so long the statement may take to end; a connection that does not is dropped. */
const endingMs = 1_000;

export interface QueryLimits {
  /** How long to wait for a connection, for it to be cleared, and for the answer to a statement that has a limit. */
  readonly timeoutMs: number;
  /** Whether the statement may take as long as it takes. */
  readonly isUnbounded: boolean;
}

/**
 * Runs a statement on a connection of the pool's. One that takes too long is cancelled on the server, so that no session
 * goes on for a caller who has left. `onClient` hears of the connection before it is used.
 */
export async function queryWithin(
  pool: PgPool,
  query: PgQuery,
  { timeoutMs, isUnbounded }: QueryLimits,
  onClient: (client: PgClient) => void,
): Promise<Answer> {
  const connecting = pool.connect();
  const client = await withinTime(connecting, timeoutMs, () => {
    void connecting.then((late) => late.release()).catch(() => {});
    throw Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: poolBusy });
  });
  onClient(client);
  let isHealthy = false;
  let isLate = false;
  const inTime = (running: Promise<Answer>): Promise<Answer> =>
    withinTime(running, timeoutMs, async () => {
      isLate = true;
      await cancelRunning(pool, client);
      return withinTime(running, endingMs, () => {
        throw tooLate(lateAnswer, timeoutMs);
      });
    });
  try {
    const status = client.getTransactionStatus?.();
    // Somebody gave it back in the midst of a transaction: what is written in that would never be committed.
    if (status === 'T' || status === 'E') {
      await inTime(client.query({ text: 'rollback', values: [] })).finally(() => {
        if (isLate) throw tooLate(leftOpen, timeoutMs);
      });
    }
    const running = client.query(query);
    const answer = await (isUnbounded ? running : inTime(running));
    // Where it has ended by itself after all, the request to cancel may still hit what comes next.
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

/** What the server refuses leaves its session as good as before. */
const isRefusal = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test(codeOf(error)) && !/^(?:08|53|57P|58|XX)|^EPIPE/.test(codeOf(error));
