import type { SendMailOptions } from 'nodemailer';
import { answersTo } from './answers.js';
import { type Failed, type Outcome, outcomeOf, outcomeOfError, type Refusal } from './outcome.js';
import { silenceAt } from './silence.js';
import type { Transport } from './transport.js';

interface Attempt {
  readonly transport: Transport;
  /** Timeout of all transactions together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Whether to give up on a server that stops answering at one recipient, so that the others are tried separately. */
  readonly isImpatient: boolean;
}

/**
 * The silence limit is `timeoutMs` divided by this. Even after two limits with all recipients and two with the silent
 * one, time is left for the others.
 */
const silentParts = 6;

/**
 * Sends `mail` to `recipients` in one transaction. If the server hangs up, sends it separately to each recipient that
 * was not refused before. Never rejects.
 */
export async function sendMail(
  mail: SendMailOptions,
  recipients: readonly string[],
  { transport, timeoutMs, signal, isImpatient }: Attempt,
): Promise<Outcome> {
  const controller = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () =>
      reject(Object.assign(new Error('the attempt was ended'), { code: 'EABORT' })),
    );
  });
  ended.catch(() => undefined);
  const end = () => controller.abort();
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();

  /** Runs one transaction. It ends with the attempt, even if the transport ignores the signal. */
  const sendTo = async (some: readonly string[], isLast: boolean): Promise<Outcome> => {
    const envelope = { ...mail.envelope, to: [...some] };
    const transaction = new AbortController();
    const endIt = () => transaction.abort();
    controller.signal.addEventListener('abort', endIt);
    // If the transport ignores its signal, the old transaction might deliver to recipients that are retried separately.
    const isWatched = isImpatient && !isLast && transport.heedsSignal;
    const silence = isWatched ? silenceAt(envelope, timeoutMs / silentParts) : undefined;
    const one = { ...mail, envelope, signal: transaction.signal };
    const begin = async () => (controller.signal.aborted ? ended : transport.sendMail(one));
    try {
      const info = await Promise.race([ended, begin(), ...(silence ? [silence.isOver] : [])]);
      return outcomeOf(info, some);
    } catch (error) {
      const outcome = outcomeOfError(error, answersTo(envelope));
      endIt();
      return outcome;
    } finally {
      silence?.stop();
      controller.signal.removeEventListener('abort', endIt);
    }
  };

  try {
    const outcome = await sendTo(recipients, recipients.length === 1);
    return isHungUp(outcome) && recipients.length > 1
      ? await sendSeparately(recipients, outcome.refusals ?? [], sendTo)
      : outcome;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

/**
 * Whether the server hung up. Servers end a session in which too many recipients were refused, with 421 (RFC 5321
 * §4.2.1) or without an answer, and would end the next one the same way. They have accepted nothing of the message
 * then.
 */
const isHungUp = (outcome: Outcome): outcome is Failed => 'kind' in outcome && outcome.isHangUp === true;

/** A server that hangs up this many times in a row hangs up on every recipient. */
const maxHangUps = 3;

/**
 * Sends to each recipient that was not refused before in a transaction of its own, so that each answer belongs to one
 * recipient. Stops when the server does not get as far as answering for a recipient.
 */
async function sendSeparately(
  recipients: readonly string[],
  before: readonly Refusal[],
  sendTo: (some: readonly string[], isLast: boolean) => Promise<Outcome>,
): Promise<Outcome> {
  const accepted: string[] = [];
  const refusals = [...before];
  let response = '';
  let hangUps = 0;
  let stoppedBy: Failed | undefined;
  const left = recipients.filter((one) => !before.some(({ recipient }) => recipient === one));
  for (const recipient of left) {
    if (stoppedBy) {
      refusals.push({ ...refusalBy(stoppedBy, recipient), response: `not asked: ${stoppedBy.message}` });
      continue;
    }
    const outcome = await sendTo([recipient], recipient === left.at(-1));
    hangUps = isHungUp(outcome) ? hangUps + 1 : 0;
    if ('kind' in outcome) {
      refusals.push(refusalBy(outcome, recipient));
      if (!outcome.isPastSender || hangUps === maxHangUps) stoppedBy = outcome;
    } else {
      accepted.push(...outcome.accepted);
      refusals.push(...outcome.refusals);
      if (outcome.accepted.length > 0) response = outcome.response;
    }
  }
  return { accepted, refusals, response, ...(stoppedBy && { stoppedBy }) };
}

const refusalBy = (failure: Failed, recipient: string): Refusal => {
  const { kind, status = 0, message, response = message, isFinal } = failure;
  return { recipient, kind, status, response, isFinal };
};
