import { kindOf } from './errors.js';
import { type Attempt, type Event, outcomeSchema } from './models.js';
import type { Channel, Claim, Message } from './ports.js';
import { failed, type Verdict } from './verdict.js';

/** How much of a receiver's answer, and of an error's message, is kept. */
const maxResponse = 16 * 1024;
const maxMessage = 1024;

/** What a channel gets of a claim. */
export class ClaimedMessage implements Message {
  readonly deliveryId: string;
  readonly attempt: number;
  readonly startedAt: Date;
  readonly event: Event;
  readonly webhook: Message['webhook'];
  readonly configs: unknown;
  readonly secrets: readonly string[];
  #payload: { readonly parsed: unknown } | undefined;

  constructor({ deliveryId, attempt, event, webhook, binding }: Claim, startedAt: Date) {
    const { id, tenantId, name, secrets } = webhook;
    this.deliveryId = deliveryId;
    this.attempt = attempt;
    this.startedAt = startedAt;
    this.event = event;
    this.webhook = { id, tenantId, name };
    this.configs = binding?.configs;
    this.secrets = secrets
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > startedAt)
      .map(({ key }) => key);
  }

  /** Parsed when it is asked for: the HTTP channel never does. */
  get payload(): unknown {
    this.#payload ??= { parsed: JSON.parse(this.event.payload) };
    return this.#payload.parsed;
  }
}

/** One try under way. */
export interface Sending {
  /** What the channel said, or what became of it. Never rejects. */
  readonly verdict: Promise<Verdict>;
  /** Ends it now, whatever the channel does, with a verdict of our own. */
  end(verdict: Verdict): void;
}

/**
 * Hands the message to its channel. Ends at the deadline at the latest, whether the channel heeds the signal or not.
 */
export function send(message: Message, channel: Channel | undefined, attemptDeadlineMs: number): Sending {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let settle: (verdict: Verdict) => void;
  const verdict = new Promise<Verdict>((resolve) => {
    settle = (value) => {
      clearTimeout(timer);
      resolve(value);
    };
  });
  const end = (ours: Verdict) => {
    settle(ours);
    controller.abort();
  };

  if (!channel) {
    settle!(failed('config', `no channel of this type is registered in this process`));
    return { verdict, end };
  }
  try {
    const deadlineMs = channel.deadlineMs?.(message.configs) ?? attemptDeadlineMs;
    timer = setTimeout(() => end(failed('timeout', `no result within ${deadlineMs} ms`)), deadlineMs);
    channel.send(message, controller.signal).then(
      (value) => settle(trimmed(value)),
      (error) => settle(thrown(error)),
    );
  } catch (error) {
    settle!(thrown(error));
  }
  return { verdict, end };
}

function thrown(error: unknown): Verdict {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `a thrown ${kindOf(error)}`;
  return failed('channel_error', text.slice(0, maxMessage));
}

/** A channel is other people's code: its answer is checked, and cut to what may be stored. */
function trimmed(verdict: Verdict): Verdict {
  if (!outcomeSchema.safeParse(verdict?.outcome).success) {
    return failed('channel_error', `the channel returned ${kindOf(verdict)} that is no verdict`);
  }
  const { response } = verdict;
  return response !== undefined && response.length > maxResponse
    ? { ...verdict, response: response.slice(0, maxResponse) }
    : verdict;
}

/** The record of an attempt. */
export function attemptRecord(id: string, message: Message, verdict: Verdict, durationMs: number): Attempt {
  const isDelivered = verdict.outcome === 'delivered';
  return {
    id,
    deliveryId: message.deliveryId,
    number: message.attempt,
    startedAt: message.startedAt,
    durationMs,
    outcome: verdict.outcome,
    kind: isDelivered ? null : verdict.kind,
    message: isDelivered ? null : verdict.message.slice(0, maxMessage),
    status: verdict.status ?? null,
    response: verdict.response ?? null,
  };
}
