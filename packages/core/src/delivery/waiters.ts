import type { PosthornError } from '../errors.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: PosthornError) => void;
}

/** Those who wait until something is over. */
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

  /** It is over, or as good as over. */
  end(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  /** It will not be known. False where nobody waits to be told. */
  fail(error: PosthornError): boolean {
    const waiters = this.#waiters.splice(0);
    for (const { reject } of waiters) reject(error);
    return waiters.length > 0;
  }
}
