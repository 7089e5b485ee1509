import { answersTo } from './answers.js';

/** A server that is waited for in vain. */
interface Silence {
  /** Rejects, as nodemailer does for a server that says nothing. */
  readonly isOver: Promise<never>;
  /** Nobody waits any more. */
  stop(): void;
}

/**
 * Is over when a server that has been asked for recipients has answered for none of them in `ms`, or in twice as long at
 * most, while one is without an answer. What it takes to connect, or to take the message when all have one, is not counted:
 * whether a message arrived that went out would be unknown.
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

/** How many recipients have their answer; undefined where nobody was asked for, or each has one. */
function answeredOf(envelope: object): number | undefined {
  const { to = [], accepted, rejectedErrors = [] } = answersTo(envelope) ?? {};
  if (!accepted) return undefined;
  const count = accepted.length + rejectedErrors.length;
  return count < to.length ? count : undefined;
}
