import { describeType, failureKindSchema } from '@posthorn/core/channel';
import type { Sms, SmsProvider, SmsResult } from './provider.js';

/** Cap on texts in flight for one message. */
const atOnce = 5;

/**
 * Sends a text to each number, and resolves to the results by number. Ends when all were tried, the service asks to
 * wait, `timeoutMs` has passed, or `signal` has aborted. Never rejects.
 */
export async function sendToEach(
  texts: readonly Sms[],
  provider: SmsProvider,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<ReadonlyMap<string, SmsResult>> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const notTried = failure('timeout', 'not tried in this attempt');
  const results = new Map(texts.map(({ to }) => [to, notTried]));
  const waiting = texts.values();
  let mustWait = false;
  let busy: SmsResult | undefined;

  async function sendSome(): Promise<void> {
    for (const sms of waiting) {
      if (ending.signal.aborted || mustWait) return;
      results.set(sms.to, failure('timeout', `no answer within ${timeoutMs} ms`));
      const result = await resultOf(provider, sms, ending.signal);
      results.set(sms.to, result);
      if (result.outcome === 'rate_limited') busy = result;
      mustWait ||= busy !== undefined || (result.outcome === 'failed' && result.retryAfterMs !== undefined);
    }
  }

  const over = new Promise<void>((resolve) => {
    ending.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(Array.from({ length: atOnce }, sendSome)), over]);
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
  // A copy, so that later results are ignored. Numbers that were not tried because the service is busy have not failed.
  return new Map([...results].map(([to, result]) => [to, result === notTried ? (busy ?? notTried) : result]));
}

/** Sends one text, and converts any result or error of the provider to a valid result. Never rejects. */
async function resultOf(provider: SmsProvider, sms: Sms, ending: AbortSignal): Promise<SmsResult> {
  try {
    return checked(await provider.send(sms, ending));
  } catch (error) {
    const message =
      error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${describeType(error)}`;
    return failure('channel_error', message);
  }
}

/** Validates a result. An invalid one counts as failed for its number only, so that the other results are kept. */
function checked(given: unknown): SmsResult {
  const fields = (given ?? {}) as Readonly<Record<string, unknown>>;
  const { outcome, message, retryAfterMs } = fields;
  const report = {
    ...(typeof fields.response === 'string' && { response: fields.response }),
    ...(isStatus(fields.status) && { status: fields.status }),
  };
  if (outcome === 'delivered') return { outcome, ...report };
  const isWait = typeof retryAfterMs === 'number' && retryAfterMs >= 0;
  if (outcome === 'rate_limited' && typeof message === 'string' && isWait) {
    return { outcome, message, retryAfterMs, ...report };
  }
  if ((outcome !== 'failed' && outcome !== 'rejected') || typeof message !== 'string') {
    return failure(
      'channel_error',
      `the provider returned ${describeType(given)}, which is not a valid result`,
    );
  }
  const kind = failureKindSchema.safeParse(fields.kind).data ?? 'channel_error';
  const why = { kind, message, ...report };
  if (outcome === 'rejected') return { outcome, ...why };
  return { outcome, ...why, ...(isWait && { retryAfterMs }) };
}

const isStatus = (status: unknown): status is number =>
  Number.isInteger(status) && Number(status) >= 0 && Number(status) <= 999;

const failure = (kind: Extract<SmsResult, { outcome: 'failed' }>['kind'], message: string): SmsResult => ({
  outcome: 'failed',
  kind,
  message,
});
