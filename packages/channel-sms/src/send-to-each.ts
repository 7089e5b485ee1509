import { failureKindSchema, kindOf } from '@posthorn/core';
import type { Sms, SmsProvider, SmsResult } from './provider.js';

/** Texts on their way at once for one message. */
const atOnce = 5;

/**
 * What became of the text to each number, once all were tried, the service wants to be left alone, `timeoutMs` are over,
 * or `signal` has aborted. Never rejects.
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
  let isToRest = false;
  let busy: SmsResult | undefined;

  async function sendSome(): Promise<void> {
    for (const sms of waiting) {
      if (ending.signal.aborted || isToRest) return;
      results.set(sms.to, failure('timeout', `no answer within ${timeoutMs} ms`));
      const result = await resultOf(provider, sms, ending.signal);
      results.set(sms.to, result);
      if (result.outcome === 'busy') busy = result;
      isToRest ||= busy !== undefined || (result.outcome === 'failed' && result.retryAfterMs !== undefined);
    }
  }

  const over = new Promise<void>((resolve) => {
    ending.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(Array.from({ length: atOnce }, sendSome)), over]);
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
  // A copy: what is said from now on is not heard. Who was not tried because the service is busy has not failed.
  return new Map([...results].map(([to, result]) => [to, result === notTried ? (busy ?? notTried) : result]));
}

/** What the provider says of one text, whatever that is, as a result that may be stored. Never rejects. */
async function resultOf(provider: SmsProvider, sms: Sms, ending: AbortSignal): Promise<SmsResult> {
  try {
    return checked(await provider.send(sms, ending));
  } catch (error) {
    const said = error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${kindOf(error)}`;
    return failure('channel_error', said);
  }
}

/** A provider is other people's code: one result that is none must not hide what became of the other numbers. */
function checked(given: unknown): SmsResult {
  const said = (given ?? {}) as Readonly<Record<string, unknown>>;
  const { outcome, message, retryAfterMs } = said;
  const report = {
    ...(typeof said.response === 'string' && { response: said.response }),
    ...(isStatus(said.status) && { status: said.status }),
  };
  if (outcome === 'delivered') return { outcome, ...report };
  const isWait = typeof retryAfterMs === 'number' && retryAfterMs >= 0;
  if (outcome === 'busy' && typeof message === 'string' && isWait) {
    return { outcome, message, retryAfterMs, ...report };
  }
  if ((outcome !== 'failed' && outcome !== 'rejected') || typeof message !== 'string') {
    return failure('channel_error', `the provider returned ${kindOf(given)} that is no result`);
  }
  const kind = failureKindSchema.safeParse(said.kind).data ?? 'channel_error';
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
