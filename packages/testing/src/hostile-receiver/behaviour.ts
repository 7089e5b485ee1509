import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { FailureKind } from '@posthorn/core';
import type { Answer } from './raw-receiver.js';

/** What a receiver may do to its sender, and how a request has to end. */
export interface Behaviour {
  /** What the receiver does. */
  readonly does: string;
  /**
   * The status a sender has to see, where complete headers came, whatever became of the body; else the kind of failure,
   * one of these.
   */
  readonly ends: number | readonly FailureKind[];
  readonly answer: Answer;
  readonly onConnection?: (socket: Socket) => void;
  /** `always`: there is no such thing over plain HTTP; `raw`: the address says `https:`, the receiver knows no TLS. */
  readonly tls?: 'always' | 'raw';
  /** In place of a good certificate. */
  readonly server?: () => TlsOptions;
}
