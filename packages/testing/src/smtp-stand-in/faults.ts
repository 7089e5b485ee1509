/**
 * The stage at which a conversation can be ended: at the connection, before the greeting; at the login; at `MAIL FROM`;
 * at each `RCPT TO`; while the message is coming in; or when it is complete and waits for its answer.
 */
export type SmtpStage = 'connect' | 'auth' | 'mail' | 'rcpt' | 'data' | 'answer';

/** An answer of the server (RFC 5321 §4.2). */
export interface SmtpReply {
  /** Three digits: 2xx accepts, 4xx is temporary, 5xx is permanent. */
  readonly code: number;
  /** The text of the answer, or a function of the message received so far. */
  readonly text: string | ((source: string) => string);
}

/** How it ends: with this answer, with a dropped connection, or without an answer. */
export type SmtpFault = SmtpReply | 'drop' | 'hang';

/** Options of a fault of the mail server. */
export interface SmtpFaultOptions {
  /** Limits the fault to this address: of the sender at `mail`, of the recipient at `rcpt`. Default: any. */
  readonly address?: string;
  /** How many times the fault occurs. Default: without end. */
  readonly times?: number;
}

/** The faults that a server was told to have. */
export interface SmtpFaults {
  add(stage: SmtpStage, fault: SmtpFault, options?: SmtpFaultOptions): void;
  clear(): void;
  /** Returns the fault that ends the stage this time, the newest first. */
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
