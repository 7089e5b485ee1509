import type { StorageAdapter } from '@posthorn/core';
import type { Harness, Rule } from '../rule.js';

/** What a rule gets: a storage of its own, and the hands that it needs. They are called without a `this`. */
export interface StorageUnderTest<Tx = unknown> {
  /** Empty. What it does not support, or has no `log.counts` for, is a topic of that name: skip it and say why. */
  readonly storage: StorageAdapter<Tx>;
  /** Another handle on the same data, for races. Default: the first one. */
  readonly second?: StorageAdapter<Tx>;
  /** Ends the process that the second handle is in, at once. The next call of it starts another. */
  readonly killSecond?: () => Promise<void>;
  /** Moves the storage's clock on. The clock may also run by itself: rules leave a minute of room. */
  readonly advance: (ms: number) => Promise<void>;
  /** Opens a transaction of the application's. Without it, skip the topic `transactions` and say why. */
  readonly begin?: () => Promise<OpenTransaction<Tx>>;
  /**
   * Drops every handle as the end of its process would, whatever it is about to do, and resolves to one that the next
   * process would have, on what is left, with the same clock. A storage that says `isVolatile` needs none.
   */
  readonly reopen?: () => Promise<StorageAdapter<Tx>>;
  readonly close?: () => Promise<void>;
}

/** Where another process gets a handle on the same data. */
export interface SecondProcess {
  /** The path of a module that calls `serveStorage`; the suite has Node run it, for all rules that need it. */
  readonly module: URL | string;
  /** What its `serveStorage` is to open, a connection string, say: whatever can be sent to a process. */
  readonly data?: unknown;
  /** What Node is to be started with, as `['--import', 'tsx']`. Default: as this process was. */
  readonly execArgv?: readonly string[];
}

/** What a harness opens for each rule. */
export interface OpenedStorage<Tx = unknown> extends Omit<StorageUnderTest<Tx>, 'second' | 'killSecond'> {
  /**
   * Another handle on the same data: best in a process of its own, so that races are real. Without that, skip the topic
   * `second` and say why; other rules go on with a handle of this process, or with the first one.
   */
  readonly second?: SecondProcess | StorageAdapter<Tx>;
}

/** A transaction as the application holds it: `tx` is what it hands to `publish`. */
export interface OpenTransaction<Tx = unknown> {
  readonly tx: Tx;
  readonly commit: () => Promise<void>;
  readonly rollback: () => Promise<void>;
}

/** What an author of a storage writes to have it proven. */
export type StorageHarness<Tx = unknown> = Harness<OpenedStorage<Tx>>;

/** One promise of `ports.ts`, and its proof. */
export type StorageRule = Rule<StorageUnderTest>;
