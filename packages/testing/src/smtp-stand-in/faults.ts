/**
 * Where a conversation can be ended: at the connection, before the greeting; at logging in; at `MAIL FROM`; at each
 * `RCPT TO`; while the message is coming in; or when it has come in whole and waits for its answer.
 */
export type SmtpStage = 'connect' | 'auth' | 'mail' | 'rcpt' | 'data' | 'answer';

/** An answer of the server's (RFC 5321 §4.2). */
export interface SmtpReply {
  /** Three digits: 2xx accepts, 4xx is temporary, 5xx is for good. */
  readonly code: number;
  /** What it says, or makes of what has come in of the message. */
  readonly text: string | ((source: string) => string);
}

/** How it ends: with this answer; with the connection dropped; or with no answer ever. */
export type SmtpFault = SmtpReply | 'drop' | 'hang';

export interface SmtpFaultOptions {
  /** Only for this address: of the sender at `mail`, of the recipient at `rcpt`. Default: for any. */
  readonly address?: string;
  /** After so many times the fault is over. Default: never. */
  readonly times?: number;
}

/** What a server is told to do wrong. */
export interface SmtpFaults {
  add(stage: SmtpStage, fault: SmtpFault, options?: SmtpFaultOptions): void;
  clear(): void;
  /** The fault that the stage ends with this time, the newest first. */
  take(stage: SmtpStage, address?: string): SmtpFault | undefined;
}

interface Planned {
  readonly stage: SmtpStage;
  readonly fault: SmtpFault;
  readonly address: string | undefined;
  left: number;
}

export function createFaults(): SmtpFaults {
  const planned: Planned[] = [];
  return {
    add(stage, fault, { address, times = Number.POSITIVE_INFINITY } = {}) {
      planned.unshift({ stage, fault, address, left: times });
    },
    clear() {
      planned.length = 0;
    },
    take(stage, address) {
      const found = planned.find(
        (one) =>
          one.stage === stage && one.left > 0 && (one.address === undefined || one.address === address),
      );
      if (!found) return undefined;
      found.left -= 1;
      return found.fault;
    },
  };
}
