import type { Storage } from '@posthorn/core';
import type { Harness, Rule } from '../rule.js';

/** A storage of its own for one rule, and the hands that the rule needs. They are called without a `this`. */
export interface StorageUnderTest<Tx = unknown> {
  /** Empty. Without `apiKeys`, skip the topic `api-keys` and say why. */
  readonly storage: Storage<Tx>;
  /** Another handle on the same data, as another process would hold it, for races. Default: the first one. */
  readonly second?: Storage<Tx>;
  /** Moves the storage's clock on. The clock may also run by itself: rules leave a minute of room. */
  readonly advance: (ms: number) => Promise<void>;
  /** Opens a transaction of the application's. Without it, skip the topic `transactions` and say why. */
  readonly begin?: () => Promise<OpenTransaction<Tx>>;
  readonly close?: () => Promise<void>;
}

/** A transaction as the application holds it: `tx` is what it hands to `publish`. */
export interface OpenTransaction<Tx = unknown> {
  readonly tx: Tx;
  readonly commit: () => Promise<void>;
  readonly rollback: () => Promise<void>;
}

/** What an author of a storage writes to have it proven. */
export type StorageHarness<Tx = unknown> = Harness<StorageUnderTest<Tx>>;

/** One promise of `ports.ts`, and its proof. */
export type StorageRule = Rule<StorageUnderTest>;
