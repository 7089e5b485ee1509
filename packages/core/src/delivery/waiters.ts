import type { PosthornError } from '../errors.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: PosthornError) => void;
}

/** Promises that wait for one event. */
export class Waiters {
  #waiters: Waiter[] = [];

  get areAny(): boolean {
    return this.#waiters.length > 0;
  }

  add(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** Resolves all of them. */
  end(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  /** Rejects all of them. False where there are none. */
  fail(error: PosthornError): boolean {
    const waiters = this.#waiters.splice(0);
    for (const { reject } of waiters) reject(error);
    return waiters.length > 0;
  }
}
