import type { Channel } from '@posthorn/core';
import { delivered, failed, type Message, type Verdict } from '@posthorn/core/channel';

/** One attempt that reached a recording channel. */
export interface Recorded {
  readonly type: string;
  /** The parsed payload of the event. */
  readonly payload: unknown;
  readonly message: Message;
  readonly verdict: Verdict;
}

/** A channel that sends nothing and records everything. */
export interface RecordingChannel extends Channel {
  /** Every attempt, in order. */
  readonly attempts: readonly Recorded[];
  /** The successful attempts, in order: what subscribers would have received. */
  readonly deliveries: readonly Recorded[];
  /** Makes the next `count` attempts fail with `verdict`. By default one attempt, with a 500. */
  failNext(count?: number, verdict?: Verdict): void;
  /** Lets `answer` decide each attempt from now on that `failNext` does not. */
  answerWith(answer: (message: Message) => Verdict | Promise<Verdict>): void;
  /** Clears everything it has recorded, and the answers it was given. */
  reset(): void;
}

/**
 * Creates a stand-in for the real channel of `type` in an application's tests. Accepts any configs, so that the
 * application's own code can create its webhooks as usual.
 */
export function recordingChannel(type = 'webhook'): RecordingChannel {
  const attempts: Recorded[] = [];
  let failures: Verdict[] = [];
  let answer: (message: Message) => Verdict | Promise<Verdict> = () => delivered();

  return {
    type,
    config: { '~standard': { version: 1, vendor: 'posthorn', validate: (value) => ({ value }) } },
    supportsDigests: true,
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
