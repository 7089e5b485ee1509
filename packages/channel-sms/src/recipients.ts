import {
  delivered,
  failed,
  type Message,
  type RateLimited,
  rateLimited,
  recipientsCheckpoint,
  rejected,
  settledRecipients,
  type Verdict,
} from '@posthorn/core/channel';
import { cutText, escapeFor } from '@posthorn/template';
import type { SmsConfigs } from './configs.js';
import { shortened, withoutNumbers } from './phone-numbers.js';
import type { SmsResult } from './provider.js';

type Failed = Extract<SmsResult, { outcome: 'failed' }>;
type Rejected = Extract<SmsResult, { outcome: 'rejected' }>;

/** Cap on the recorded text about one number, so that 50 numbers fit into a report. */
const maxLineLength = 200;

/**
 * The unique numbers of one message. The checkpoint of the verdict keeps, from attempt to attempt, the numbers that have the
 * text or will never get it.
 */
export interface Recipients {
  /** The numbers to try in this attempt. */
  readonly open: readonly string[];
  /**
   * Combines `results` into the verdict of the delivery. The report names refused numbers by their last two digits.
   * - A number has failed: the delivery has failed. The checkpoint keeps the other numbers from being texted again.
   * - Otherwise, a number has to wait for a busy service: the delivery is busy.
   * - Otherwise, the delivery is delivered if at least one number has the text, and rejected if none has.
   */
  verdictOf(results: ReadonlyMap<string, SmsResult>): Verdict;
}

export function recipientsOf(message: Message<SmsConfigs>): Recipients {
  const numbers = [...new Set(message.configs.phone_numbers)];
  const before = settledRecipients(message, numbers);
  const readable = (text: string): string =>
    cutText(escapeFor('header', withoutNumbers(text, numbers)), maxLineLength);

  return {
    open: numbers.filter((number) => !before.has(number)),

    verdictOf(results) {
      const settled = new Map(before);
      const waiting: Failed[] = [];
      const postponed: RateLimited[] = [];
      const refused: Rejected[] = [];
      const lines: string[] = [];
      for (const number of numbers) {
        const result = results.get(number);
        if (result?.outcome === 'failed') waiting.push(result);
        if (result?.outcome === 'rate_limited') postponed.push(result);
        if (result?.outcome === 'rejected') refused.push(result);
        if (result?.outcome === 'delivered') settled.set(number, null);
        if (result?.outcome === 'rejected') settled.set(number, readable(result.message));
        const line = result ? readable(described(result)) : describedBefore(before.get(number));
        lines.push(`${shortened(number)} ${line}`);
      }
      const first = waiting[0] ?? postponed[0] ?? refused[0];
      const summary = lines.join('; ');
      const status = first?.status ?? [...results.values()][0]?.status;
      const report = { response: lines.join('\n'), ...(status !== undefined && { status }) };
      const waits = [...waiting, ...postponed].flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
      const left = { ...report, ...recipientsCheckpoint(message, settled) };
      if (waiting.length > 0) {
        return failed(waiting[0]!.kind, summary, {
          ...left,
          ...(waits.length > 0 && { retryAfterMs: Math.max(...waits) }),
        });
      }
      if (postponed.length > 0) return rateLimited(Math.max(...waits), summary, left);
      if ([...settled.values()].includes(null)) return delivered(report);
      return rejected(refused[0]?.kind ?? 'http_status', summary, report);
    },
  };
}

function described(result: SmsResult): string {
  const answer = result.response ? `: ${result.response}` : '';
  if (result.outcome === 'delivered') return `was sent${answer}`;
  const how = { rejected: 'was refused', failed: 'failed', rate_limited: 'has to wait' }[result.outcome];
  return `${how}: ${result.message}${answer}`;
}

const describedBefore = (reason: string | null | undefined): string =>
  reason == null ? 'was sent before' : `was refused before: ${reason}`;
