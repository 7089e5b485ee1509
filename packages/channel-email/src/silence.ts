import { answersTo } from './answers.js';

/** A watch for a server that stops answering. */
interface Silence {
  /** Rejects when the server is silent for too long, with the error of nodemailer for a socket timeout. */
  readonly isOver: Promise<never>;
  /** Ends the watch. */
  stop(): void;
}

/**
 * Watches a transaction. It is silent if the server, once asked about recipients, answers for none of them for `ms` (at
 * most twice that) while one has no answer. The time to connect and to accept the message does not count: after the
 * message was sent, it would be unknown whether it arrived.
 */
export function silenceAt(envelope: object, ms: number): Silence {
  let before: number | undefined;
  let end = (_: Error): void => {};
  const isOver = new Promise<never>((_, reject) => {
    end = reject;
  });
  isOver.catch(() => undefined);
  const timer = setInterval(() => {
    const count = answeredOf(envelope);
    if (count !== undefined && count === before) {
      end(Object.assign(new Error('Timeout'), { code: 'ETIMEDOUT', timeoutType: 'SOCKET_TIMEOUT' }));
    }
    before = count;
  }, ms);
  return { isOver, stop: () => clearInterval(timer) };
}

/** Counts the answered recipients. Returns undefined if none was asked about, or all are answered. */
function answeredOf(envelope: object): number | undefined {
  const { to = [], accepted, rejectedErrors = [] } = answersTo(envelope) ?? {};
  if (!accepted) return undefined;
  const count = accepted.length + rejectedErrors.length;
  return count < to.length ? count : undefined;
}
