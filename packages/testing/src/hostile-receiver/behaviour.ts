import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { FailureKind } from '@posthorn/core';
import type { Answer } from './raw-receiver.js';

/** What a receiver does to its sender, and how the request must end. */
export interface Behaviour {
  /** What the receiver does, as the predicate of a sentence. */
  readonly does: string;
  /**
   * The status that the sender must see, where complete headers came, whatever happens to the body. Otherwise the
   * possible kinds of the failure.
   */
  readonly ends: number | readonly FailureKind[];
  readonly answer: Answer;
  readonly onConnection?: (socket: Socket) => void;
  /** `always`: exists over TLS only. `raw`: the URL has `https:`, but the receiver does not speak TLS. */
  readonly tls?: 'always' | 'raw';
  /** TLS options that replace those of a valid certificate. */
  readonly server?: () => TlsOptions;
}
