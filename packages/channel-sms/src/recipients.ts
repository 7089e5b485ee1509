import {
  type Busy,
  busy,
  delivered,
  failed,
  type Message,
  recipientsMemo,
  rejected,
  settledRecipients,
  type Verdict,
} from '@posthorn/core';
import { cutText, escapeFor } from '@posthorn/template';
import type { SmsConfigs } from './configs.js';
import { shortened, withoutNumbers } from './phone-numbers.js';
import type { SmsResult } from './provider.js';

type Failed = Extract<SmsResult, { outcome: 'failed' }>;
type Rejected = Extract<SmsResult, { outcome: 'rejected' }>;

/** How much of what is said of one number is kept: 50 of them fit into a report. */
const maxSaid = 200;

/**
 * The numbers of one message, each once. Those that have the text, or will never get it, are remembered from attempt to
 * attempt in the verdict's memo.
 */
export interface Recipients {
  /** Those that this attempt is to try. */
  readonly open: readonly string[];
  /**
   * What `results` mean for the delivery. While a number has failed for now, all of it has failed, and the memo keeps the
   * others from another try. Where it has only to wait as the service is busy, so has the delivery. When none has, it is delivered if any number has the text, and rejected if none has; who
   * was refused is named in the report by the last two digits.
   */
  verdictOf(results: ReadonlyMap<string, SmsResult>): Verdict;
}

export function recipientsOf(message: Message<SmsConfigs>): Recipients {
  const numbers = [...new Set(message.configs.phone_numbers)];
  const before = settledRecipients(message, numbers);
  const readable = (text: string): string =>
    cutText(escapeFor('header', withoutNumbers(text, numbers)), maxSaid);

  return {
    open: numbers.filter((number) => !before.has(number)),

    verdictOf(results) {
      const settled = new Map(before);
      const waiting: Failed[] = [];
      const postponed: Busy[] = [];
      const refused: Rejected[] = [];
      const lines: string[] = [];
      for (const number of numbers) {
        const result = results.get(number);
        if (result?.outcome === 'failed') waiting.push(result);
        if (result?.outcome === 'busy') postponed.push(result);
        if (result?.outcome === 'rejected') refused.push(result);
        if (result?.outcome === 'delivered') settled.set(number, null);
        if (result?.outcome === 'rejected') settled.set(number, readable(result.message));
        const said = result ? readable(described(result)) : describedBefore(before.get(number));
        lines.push(`${shortened(number)} ${said}`);
      }
      const first = waiting[0] ?? postponed[0] ?? refused[0];
      const said = lines.join('; ');
      const status = first?.status ?? [...results.values()][0]?.status;
      const report = { response: lines.join('\n'), ...(status !== undefined && { status }) };
      const waits = [...waiting, ...postponed].flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
      const left = { ...report, ...recipientsMemo(message, settled) };
      if (waiting.length > 0) {
        return failed(waiting[0]!.kind, said, {
          ...left,
          ...(waits.length > 0 && { retryAfterMs: Math.max(...waits) }),
        });
      }
      if (postponed.length > 0) return busy(Math.max(...waits), said, left);
      if ([...settled.values()].includes(null)) return delivered(report);
      return rejected(refused[0]?.kind ?? 'http_status', said, report);
    },
  };
}

function described(result: SmsResult): string {
  const answer = result.response ? `: ${result.response}` : '';
  if (result.outcome === 'delivered') return `was sent${answer}`;
  const how = { rejected: 'was refused', failed: 'failed', busy: 'has to wait' }[result.outcome];
  return `${how}: ${result.message}${answer}`;
}

const describedBefore = (reason: string | null | undefined): string =>
  reason == null ? 'was sent before' : `was refused before: ${reason}`;
