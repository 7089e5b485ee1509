import type { FailureKind } from '@posthorn/core';
import type { Answers } from './answers.js';

/** A recipient that the server refused, or that failed. */
export interface Refusal {
  readonly recipient: string;
  readonly status: number;
  readonly response: string;
  /** Whether the refusal is permanent. */
  readonly isFinal: boolean;
  /** The kind of failure, if it was not an answer of the server. */
  readonly kind?: FailureKind;
}

/** The server answered per recipient. It may have accepted the message for some and not for others. */
interface Answered {
  readonly accepted: readonly string[];
  readonly refusals: readonly Refusal[];
  readonly response: string;
  /** The failure because of which the remaining recipients were not asked, if each was asked separately. */
  readonly stoppedBy?: Failed;
}

/** The message failed for all recipients, permanently or not. */
export interface Failed {
  readonly kind: FailureKind;
  readonly message: string;
  readonly isFinal: boolean;
  readonly status?: number;
  readonly response?: string;
  /** Whether the server answered after it had accepted the sender: to a recipient, or to the message. */
  readonly isPastSender?: boolean;
  /**
   * Whether the server ended the session before it answered for all recipients, or with 421. It accepted nothing then.
   */
  readonly isHangUp?: boolean;
  /** The recipients that were refused before. */
  readonly refusals?: readonly Refusal[];
}

/** The outcome of sending a message. */
export type Outcome = Answered | Failed;

/** The fields that are read from nodemailer's results and errors. Other transports may have none of them. */
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

/** Converts the result of `sendMail`. */
export function outcomeOf(info: unknown, recipients: readonly string[]): Outcome {
  const { rejected = [], rejectedErrors = [], response } = Object(info) as Answer;
  const refusals = rejectedErrors.map(refusalOf);
  const isExplained = (address: string) => refusals.some(({ recipient }) => recipient === address);
  return {
    // A transport that does not report recipients has accepted the message for all.
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

/** Converts an error of `sendMail`, with the earlier answers of the server. */
export function outcomeOfError(error: unknown, answers?: Answers): Outcome {
  const answer = Object(answers?.mailError ?? error) as Answer;
  const { code, rejectedErrors = [], responseCode: status, response } = answer;
  if (rejectedErrors.length > 0) {
    return { accepted: [], refusals: rejectedErrors.map(refusalOf), response: response ?? '' };
  }
  const { refusals, areAllRefused, isCutShort } = recipientsIn(answers);
  if (areAllRefused) return { accepted: [], refusals, response: response ?? '' };
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
  /** Whether all recipients were refused. */
  readonly areAllRefused: boolean;
  /** Whether at least one recipient had no answer. */
  readonly isCutShort: boolean;
}

/** Reads the answers of a failed transaction. A 421 is not an answer about its recipient. */
function recipientsIn(
  { to, accepted, rejectedErrors = [], mailError }: Answers = { to: [] },
): AskedRecipients {
  if (!accepted || mailError) return { refusals: [], areAllRefused: false, isCutShort: false };
  const refusals = rejectedErrors
    .map((error) => refusalOf(Object(error) as Answer))
    .filter(({ status }) => status !== 421);
  return {
    refusals,
    areAllRefused: refusals.length === to.length,
    isCutShort: accepted.length + refusals.length < to.length,
  };
}

/**
 * Whether the server ended the session. Excluded are other answers (e.g. about the sender), errors of the transport
 * itself, and the end of the attempt, after which there is no time for another transaction.
 */
const isEnd = (code = '', status?: number): boolean =>
  status === undefined ? /^(?:ECONNECTION|ESOCKET|ETIMEDOUT|EPROTOCOL)$/.test(code) : status === 421;

/** Whether the sender was accepted. nodemailer reports a 421 to `RCPT TO` only as the end of the connection. */
const isPastSender = ({ code, command }: Answer): boolean =>
  code === 'ECONNECTION' || (command !== 'MAIL FROM' && (code === 'EMESSAGE' || code === 'EENVELOPE'));

const refusalOf = ({ recipient = '', responseCode = 0, response = '' }: Answer): Refusal => ({
  recipient,
  status: responseCode,
  response,
  // Old servers send 552 for “too many recipients”, which means 452 (RFC 5321 §4.5.3.1.10).
  isFinal: isPermanent(responseCode) && responseCode !== 552,
});

/** Whether a status is permanent. 503 means a wrong order of commands, not a wrong message; nodemailer agrees. */
const isPermanent = (status: number): boolean => status >= 500 && status < 600 && status !== 503;

const failure = (kind: FailureKind, message: string, isFinal = false): Failed => ({ kind, message, isFinal });

/** Creates the failure for an answer. The command decides which side is at fault. */
function withAnswer({ code, command }: Answer, status: number): Failed {
  // The operator has to fix a wrong password. No mail may be lost until then.
  if (code === 'EAUTH') return failure('credentials', `the mail server refused our login with ${status}`);
  if (code === 'ETLS') return failure('tls', `the mail server refused STARTTLS with ${status}`);
  if (command === 'MAIL FROM') {
    // 552: the message exceeds the server's size limit (RFC 1870 §6.1).
    if (status === 552) return failure('http_status', 'the message is too large for the mail server', true);
    return failure(
      isPermanent(status) ? 'credentials' : 'http_status',
      `the mail server refused our sender with ${status}`,
    );
  }
  if (code === 'EMESSAGE' || code === 'EENVELOPE') {
    return failure('http_status', `the mail server refused the message with ${status}`, isPermanent(status));
  }
  return failure('http_status', `the mail server ended the session with ${status}`);
}

/** Creates the failure if the server did not answer in SMTP. If the message was already sent, it may arrive twice. */
function withoutAnswer(answer: Answer, error: unknown): Failed {
  const { code, originalCode, timeoutType, command } = answer;
  const detail = originalCode ?? timeoutType ?? code;
  const withDetail = (text: string) => (detail === undefined ? text : `${text} (${detail})`);
  switch (code) {
    case 'EABORT':
      return failure('timeout', 'the mail server did not finish in time');
    case 'EDNS':
      return failure('dns', withDetail('the name of the mail server could not be resolved'));
    case 'ETIMEDOUT':
      return timeoutType === 'SOCKET_TIMEOUT'
        ? failure('timeout', withDetail('the mail server did not answer in time'))
        : failure('connect_timeout', withDetail('no connection to the mail server in time'));
    case 'ESOCKET':
      return socketFailure(originalCode, withDetail);
    case 'ECONNECTION':
      return failure('reset', withDetail('the mail server ended the connection before it answered'));
    case 'ETLS':
    case 'EREQUIRETLS':
      return failure('tls', withDetail('no trusted TLS connection to the mail server'));
    case 'EPROTOCOL':
      return failure('protocol', withDetail('the answer of the mail server is not SMTP'));
    case 'EPROXY':
      return failure('proxy', withDetail('the proxy opened no connection'));
    case 'EAUTH':
    case 'ENOAUTH':
    case 'EOAUTH2':
      return failure('credentials', withDetail('cannot log in to the mail server'));
    case 'ECONFIG':
      return failure('config', String(Object(error).message));
    case 'EMESSAGE':
      // The server announced its size limit in the greeting.
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

/** Creates the failure of a socket error. A code that is not of the network is of TLS; TLS codes share no prefix. */
function socketFailure(code = '', withDetail: (text: string) => string): Failed {
  if (code === 'ETIMEDOUT')
    return failure('connect_timeout', withDetail('no connection to the mail server in time'));
  if (unreachable.test(code)) return failure('refused', withDetail('the mail server refused the connection'));
  if (ended.test(code)) {
    return failure('reset', withDetail('the mail server ended the connection before it answered'));
  }
  if (exhausted.test(code)) {
    return failure('config', withDetail('this process ran out of open files or network buffers'));
  }
  return failure('tls', withDetail('no trusted TLS connection to the mail server'));
}
