import { isPosthornError } from '@posthorn/core';
import type { KvStore } from '../store.js';
import { Draft } from './draft.js';

/** What one call reads and writes. It may run several times. */
type Work<T> = (draft: Draft) => Promise<T>;

interface Call {
  readonly work: Work<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** At most this many calls share a transaction. */
const maxCalls = 64;

/**
 * Runs calls in transactions, one after the other: those that wait when one begins share it, and are committed together.
 * A call that a rule of the port refuses is undone by itself.
 */
export class Transactions {
  readonly #store: KvStore;
  #waiting: Call[] = [];
  #running: Promise<void> | undefined;

  constructor(store: KvStore) {
    this.#store = store;
  }

  run<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as Call['resolve'], reject });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when no call waits or runs any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #drain(): Promise<void> {
    // The calls of one turn go together.
    await null;
    while (this.#waiting.length > 0) {
      const calls = this.#waiting.splice(0, maxCalls);
      if (await this.#attempt(calls)) continue;
      // One of them may be what the store refuses: each for itself.
      for (const call of calls) await this.#attempt([call]);
    }
    this.#running = undefined;
  }

  /** Whether the calls have their results. */
  async #attempt(calls: readonly Call[]): Promise<boolean> {
    let hasBegun = false;
    try {
      const ends = await this.#store.transact(async (tx) => {
        hasBegun = true;
        const draft = new Draft(tx);
        const results: (() => void)[] = [];
        for (const call of calls) results.push(await endOf(call, draft));
        await draft.flush();
        return results;
      });
      for (const end of ends) end();
      return true;
    } catch (error) {
      // Where not even the transaction began, it is none of the calls.
      if (calls.length > 1 && hasBegun) return false;
      for (const call of calls) call.reject(error);
      return true;
    }
  }
}

/** Runs a call; what it resolves to settles it, once its transaction is committed. */
async function endOf({ work, resolve, reject }: Call, draft: Draft): Promise<() => void> {
  draft.savepoint();
  try {
    const value = await work(draft);
    return () => resolve(value);
  } catch (error) {
    // What the store itself throws is for the store: it may want to run the transaction again.
    if (!isPosthornError(error) || error.code === 'storage_failed') throw error;
    draft.rollback();
    return () => reject(error);
  }
}
