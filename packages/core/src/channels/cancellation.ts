/**
 * The part of an AbortSignal that tells a client to stop. Code that takes a `Cancellation` also takes an AbortSignal. The
 * reverse does not hold: `fetch`, for one, needs an AbortSignal.
 */
export interface Cancellation {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A cancellation and nothing more. Calls each listener once, in order. An error that one throws does not reach the others. */
export class PlainCancellation implements Cancellation {
  aborted = false;
  readonly #listeners: (() => void)[] = [];

  /** Itself, so that it is read like the signal of an AbortController. */
  get signal(): Cancellation {
    return this;
  }

  addEventListener(_: 'abort', listener: () => void): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (let listener = this.#listeners.shift(); listener; listener = this.#listeners.shift()) {
      try {
        listener();
      } catch (error) {
        // As an AbortSignal does: an uncaught exception.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
}
