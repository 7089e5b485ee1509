import type { FailureKind } from '@posthorn/core';
import type { Answers } from './answers.js';

/** What a server answered about one recipient, and not with yes. */
export interface Refusal {
  readonly recipient: string;
  readonly status: number;
  readonly response: string;
  /** Whether asking again is of no use. */
  readonly isFinal: boolean;
  /** What it is, where it was no answer. */
  readonly kind?: FailureKind;
}

/** It was taken for some recipients and not for the others. */
interface Answered {
  readonly accepted: readonly string[];
  readonly refusals: readonly Refusal[];
  readonly response: string;
  /** What kept the rest from being asked, where each was asked by itself. */
  readonly stoppedBy?: Failed;
}

/** It failed as a whole, for good or not. */
export interface Failed {
  readonly kind: FailureKind;
  readonly message: string;
  readonly isFinal: boolean;
  readonly status?: number;
  readonly response?: string;
  /** Whether the server answered after it had taken our sender: to a recipient, or to the message. */
  readonly isPastSender?: boolean;
  /** Whether the conversation ended before all recipients had their answer, or with 421: nothing of the message was taken. */
  readonly isHangUp?: boolean;
  /** What recipients were answered before, and not with yes. */
  readonly refusals?: readonly Refusal[];
}

/** How the sending of a message ended. */
export type Outcome = Answered | Failed;

/** The fields of nodemailer's results and errors that are read; all of them, or none where a transport is of another kind. */
interface Answer {
  readonly accepted?: readonly unknown[];
  readonly rejected?: readonly unknown[];
  readonly rejectedErrors?: readonly Answer[];
  readonly recipient?: string;
  readonly code?: string;
  readonly originalCode?: string;
  readonly timeoutType?: string;
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
}

/** What nodemailer's `info` says of the message to `recipients`. */
export function outcomeOf(info: unknown, recipients: readonly string[]): Outcome {
  const { rejected = [], rejectedErrors = [], response } = Object(info) as Answer;
  const refusals = rejectedErrors.map(refusalOf);
  const isExplained = (address: string) => refusals.some(({ recipient }) => recipient === address);
  return {
    // Transports without a word per recipient have taken the message for all.
    accepted: recipients.filter((address) => !rejected.includes(address) && !isExplained(address)),
    refusals: [
      ...refusals,
      ...recipients
        .filter((address) => rejected.includes(address) && !isExplained(address))
        .map((recipient) => refusalOf({ recipient, response: 'refused without a reason' })),
    ],
    response: typeof response === 'string' ? response : '',
  };
}

/** What nodemailer's error says, and what the server had answered before. */
export function outcomeOfError(error: unknown, answers?: Answers): Outcome {
  const answer = Object(answers?.mailError ?? error) as Answer;
  const { code, rejectedErrors = [], responseCode: status, response } = answer;
  if (rejectedErrors.length > 0) {
    return { accepted: [], refusals: rejectedErrors.map(refusalOf), response: response ?? '' };
  }
  const { refusals, isNobodyLeft, isCutShort } = recipientsIn(answers);
  if (isNobodyLeft) return { accepted: [], refusals, response: response ?? '' };
  const isAnswered = status !== undefined && isPastSender(answer);
  const isHangUp = isEnd(code, status) && (isCutShort || isAnswered);
  return {
    ...(status === undefined ? withoutAnswer(answer, error) : withAnswer(answer, status)),
    ...(status !== undefined && { status }),
    ...(response !== undefined && { response }),
    isPastSender: isAnswered || isHangUp,
    isHangUp,
    refusals,
  };
}

interface AskedRecipients {
  readonly refusals: readonly Refusal[];
  /** Whether each of them was refused. */
  readonly isNobodyLeft: boolean;
  /** Whether one at least had no answer. */
  readonly isCutShort: boolean;
}

/** Of a transaction that failed. 421 is no answer about the recipient to whom it came. */
function recipientsIn(
  { to, accepted, rejectedErrors = [], mailError }: Answers = { to: [] },
): AskedRecipients {
  if (!accepted || mailError) return { refusals: [], isNobodyLeft: false, isCutShort: false };
  const refusals = rejectedErrors
    .map((error) => refusalOf(Object(error) as Answer))
    .filter(({ status }) => status !== 421);
  return {
    refusals,
    isNobodyLeft: refusals.length === to.length,
    isCutShort: accepted.length + refusals.length < to.length,
  };
}

/**
 * Whether the server ended the conversation. Any other answer is one to what it was asked, the sender for one; what the
 * transport says of itself is none; and an attempt that is over has no time for another transaction.
 */
const isEnd = (code = '', status?: number): boolean =>
  status === undefined ? /^(?:ECONNECTION|ESOCKET|ETIMEDOUT|EPROTOCOL)$/.test(code) : status === 421;

/** Of a 421 in an answer to `RCPT TO`, nodemailer says no more than that the connection is over. */
const isPastSender = ({ code, command }: Answer): boolean =>
  code === 'ECONNECTION' || (command !== 'MAIL FROM' && (code === 'EMESSAGE' || code === 'EENVELOPE'));

const refusalOf = ({ recipient = '', responseCode = 0, response = '' }: Answer): Refusal => ({
  recipient,
  status: responseCode,
  response,
  // 552 is what old servers say for “too many recipients”, to be read as 452 (RFC 5321 §4.5.3.1.10).
  isFinal: isForGood(responseCode) && responseCode !== 552,
});

/** 503 says that the order of commands was wrong, not that the message is; nodemailer reads it so, too. */
const isForGood = (status: number): boolean => status >= 500 && status < 600 && status !== 503;

const failure = (kind: FailureKind, message: string, isFinal = false): Failed => ({ kind, message, isFinal });

/** The server answered: who has to do something about it goes by the command that it answered. */
function withAnswer({ code, command }: Answer, status: number): Failed {
  // A changed password is ours to repair, and nobody's mail may be lost until it is.
  if (code === 'EAUTH') return failure('credentials', `the mail server refused our login with ${status}`);
  if (code === 'ETLS') return failure('tls', `the mail server refused STARTTLS with ${status}`);
  if (command === 'MAIL FROM') {
    // 552: the message is larger than it takes (RFC 1870 §6.1).
    if (status === 552) return failure('http_status', 'the message is too large for the mail server', true);
    return failure(
      isForGood(status) ? 'credentials' : 'http_status',
      `the mail server refused our sender with ${status}`,
    );
  }
  if (code === 'EMESSAGE' || code === 'EENVELOPE') {
    return failure('http_status', `the mail server refused the message with ${status}`, isForGood(status));
  }
  return failure('http_status', `the mail server ended the conversation with ${status}`);
}

/** Nobody answered, or not in SMTP. After the message itself went out, whether it arrived is unknown: it is sent again. */
function withoutAnswer(answer: Answer, error: unknown): Failed {
  const { code, originalCode, timeoutType, command } = answer;
  const detail = originalCode ?? timeoutType ?? code;
  const said = (text: string) => (detail === undefined ? text : `${text} (${detail})`);
  switch (code) {
    case 'EABORT':
      return failure('timeout', 'the mail server did not finish in time');
    case 'EDNS':
      return failure('dns', said('the name of the mail server could not be resolved'));
    case 'ETIMEDOUT':
      return timeoutType === 'SOCKET_TIMEOUT'
        ? failure('timeout', said('the mail server did not answer in time'))
        : failure('connect_timeout', said('no connection to the mail server in time'));
    case 'ESOCKET':
      return socketFailure(originalCode, said);
    case 'ECONNECTION':
      return failure('reset', said('the mail server ended the connection before it answered'));
    case 'ETLS':
    case 'EREQUIRETLS':
      return failure('tls', said('no trusted TLS connection to the mail server'));
    case 'EPROTOCOL':
      return failure('protocol', said('the answer of the mail server is not SMTP'));
    case 'EPROXY':
      return failure('proxy', said('the proxy opened no connection'));
    case 'EAUTH':
    case 'ENOAUTH':
    case 'EOAUTH2':
      return failure('credentials', said('logging in to the mail server is not possible'));
    case 'ECONFIG':
      return failure('config', String(Object(error).message));
    case 'EMESSAGE':
      // It said in its greeting how much it takes.
      if (command === 'MAIL FROM') {
        return failure('http_status', 'the message is too large for the mail server', true);
      }
  }
  const { name, message } = Object(error) as { readonly name?: unknown; readonly message?: unknown };
  return failure('channel_error', `the transport failed: ${String(name ?? 'Error')}: ${String(message)}`);
}

const unreachable = /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|EADDRNOTAVAIL|EACCES|EPERM)$/;
const ended = /^(?:ECONNRESET|ECONNABORTED|EPIPE)$/;
const exhausted = /^(?:EMFILE|ENFILE|ENOBUFS)$/;

/** What is not of the network is of TLS: its codes have no prefix in common. */
function socketFailure(code = '', said: (text: string) => string): Failed {
  if (code === 'ETIMEDOUT')
    return failure('connect_timeout', said('no connection to the mail server in time'));
  if (unreachable.test(code)) return failure('refused', said('the mail server refused the connection'));
  if (ended.test(code)) {
    return failure('reset', said('the mail server ended the connection before it answered'));
  }
  if (exhausted.test(code)) {
    return failure('config', said('this process ran out of open files or network buffers'));
  }
  return failure('tls', said('no trusted TLS connection to the mail server'));
}
