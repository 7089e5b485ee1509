import { type Channel, delivered, failed, type Message, type Verdict } from '@posthorn/core';

/** One attempt that reached a recording channel. */
export interface Recorded {
  readonly type: string;
  /** The event's payload, parsed. */
  readonly payload: unknown;
  readonly message: Message;
  readonly verdict: Verdict;
}

/** A channel that sends nothing and remembers everything. */
export interface RecordingChannel extends Channel {
  /** Every attempt, in order. */
  readonly attempts: readonly Recorded[];
  /** Those that succeeded, in order: what subscribers would have got. */
  readonly deliveries: readonly Recorded[];
  /** The next `count` attempts fail (one, if it is left out), with `verdict` (a 500, if it is left out). */
  failNext(count?: number, verdict?: Verdict): void;
  /** From now on `answer` decides each attempt that `failNext` does not. */
  answerWith(answer: (message: Message) => Verdict | Promise<Verdict>): void;
  /** Forgets what it has seen, and what it was told. */
  reset(): void;
}

/**
 * Stands in for a real channel of `type` (default `webhook`) in an application's tests. It takes any configs, so that
 * the application's own code can create its webhooks as ever.
 */
export function recordingChannel(type = 'webhook'): RecordingChannel {
  const attempts: Recorded[] = [];
  let failures: Verdict[] = [];
  let answer: (message: Message) => Verdict | Promise<Verdict> = () => delivered();

  return {
    type,
    config: { '~standard': { version: 1, vendor: 'posthorn', validate: (value) => ({ value }) } },
    takesDigests: true,
    attempts,
    get deliveries() {
      return attempts.filter(({ verdict }) => verdict.outcome === 'delivered');
    },
    async send(message) {
      const verdict = failures.shift() ?? (await answer(message));
      attempts.push({ type: message.event.type, payload: message.payload, message, verdict });
      return verdict;
    },
    failNext(count = 1, verdict = failed('http_status', 'answered 500', { status: 500 })) {
      failures.push(...Array<Verdict>(count).fill(verdict));
    },
    answerWith(next) {
      answer = next;
    },
    reset() {
      attempts.length = 0;
      failures = [];
      answer = () => delivered();
    },
  };
}
