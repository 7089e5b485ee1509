import { createHash } from 'node:crypto';
import { type Busy, busy, delivered, failed, type Message, rejected, type Verdict } from '@posthorn/core';
import { z } from 'zod';
import type { SmsConfigs } from './configs.js';
import { shortened, withoutNumbers } from './phone-numbers.js';
import type { SmsResult } from './provider.js';

/** Why a number will never get a text, or null where it has it: what no further attempt has to try. */
type Settled = Map<string, string | null>;

type Failed = Extract<SmsResult, { outcome: 'failed' }>;
type Rejected = Extract<SmsResult, { outcome: 'rejected' }>;

/** How much of what is said of one number is kept: 50 of them fit into a report, and into a memo. */
const maxSaid = 200;

/**
 * The numbers of one message. Those that have the text, or will never get it, are remembered from attempt to attempt in
 * the verdict's memo, under hashes: a memo is stored, and is no place for a phone number.
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

export function recipientsOf({ deliveryId, memo, configs }: Message<SmsConfigs>): Recipients {
  const numbers = configs.phone_numbers;
  const before = settledIn(memo);
  const keyOf = (number: string): string =>
    createHash('sha256').update(`${deliveryId} ${number}`).digest('base64url').slice(0, 12);
  const readable = (text: string): string =>
    withoutNumbers(text, numbers)
      .slice(0, maxSaid)
      .replace(/[\ud800-\udbff]$/, '');

  return {
    open: numbers.filter((number) => !before.has(keyOf(number))),

    verdictOf(results) {
      const settled: Settled = new Map();
      const waiting: Failed[] = [];
      const postponed: Busy[] = [];
      const refused: Rejected[] = [];
      const lines: string[] = [];
      for (const number of numbers) {
        const key = keyOf(number);
        const result = results.get(number);
        if (result?.outcome === 'failed') waiting.push(result);
        if (result?.outcome === 'busy') postponed.push(result);
        if (result?.outcome === 'rejected') refused.push(result);
        if (result?.outcome === 'delivered') settled.set(key, null);
        if (result?.outcome === 'rejected') settled.set(key, readable(result.message));
        if (!result) settled.set(key, before.get(key) ?? null);
        const said = result ? readable(described(result)) : describedBefore(before.get(key));
        lines.push(`${shortened(number)} ${said}`);
      }
      const first = waiting[0] ?? postponed[0] ?? refused[0];
      const said = lines.join('; ');
      const status = first?.status ?? [...results.values()][0]?.status;
      const report = { response: lines.join('\n'), ...(status !== undefined && { status }) };
      const waits = [...waiting, ...postponed].flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
      const left = {
        ...report,
        ...(settled.size > 0 && { memo: JSON.stringify(Object.fromEntries(settled)) }),
      };
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

const memoSchema = z.record(z.string(), z.string().nullable());

/** Of a memo that nobody can read, nothing: a text too many is better than none. */
function settledIn(memo: string | undefined): Settled {
  if (memo === undefined) return new Map();
  try {
    return new Map(Object.entries(memoSchema.parse(JSON.parse(memo))));
  } catch {
    return new Map();
  }
}
