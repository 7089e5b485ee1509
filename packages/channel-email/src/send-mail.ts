import type { SendMailOptions } from 'nodemailer';
import { answersTo } from './answers.js';
import { type Failed, type Outcome, outcomeOf, outcomeOfError, type Refusal } from './outcome.js';
import { silenceAt } from './silence.js';
import type { Transport } from './transport.js';

interface Attempt {
  readonly transport: Transport;
  /** For the whole of it, however many transactions it takes. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Whether a server that falls silent at a recipient is left for the sake of the others. */
  readonly isImpatient: boolean;
}

/** Silence is this part of `timeoutMs`: after twice as long, with all and then with the one, there is time for the others. */
const silentParts = 6;

/** Sends `mail` to `recipients` in one transaction, or in one for each that has no answer of its own where the server hangs up. Never rejects. */
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

  /** One transaction, over when the attempt is, whether the transport heeds its signal or not. */
  const sendTo = async (some: readonly string[], isLast: boolean): Promise<Outcome> => {
    const envelope = { ...mail.envelope, to: [...some] };
    const transaction = new AbortController();
    const endIt = () => transaction.abort();
    controller.signal.addEventListener('abort', endIt);
    // Where it does not heed its signal, the mail might still go to those who are asked singly by then.
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
      ? await sendSingly(recipients, outcome.refusals ?? [], sendTo)
      : outcome;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

/**
 * A server ends a conversation in which too many recipients were refused, with 421 (RFC 5321 §4.2.1) or without a word,
 * and the next one in the same way. It has taken nothing of the message then.
 */
const isHungUp = (outcome: Outcome): outcome is Failed => 'kind' in outcome && outcome.isHangUp === true;

/** A server that hangs up on so many in a row does so on everybody. */
const maxHangUps = 3;

/**
 * A transaction for each who was not refused before: what the server answers is of that recipient. Goes no further where
 * it does not come to that.
 */
async function sendSingly(
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
