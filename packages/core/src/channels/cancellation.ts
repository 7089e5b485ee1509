/**
 * The part of an AbortSignal by which a client hears that it is to stop. What takes one takes every AbortSignal; not so the
 * other way round: `fetch`, for one, wants a whole signal.
 */
export interface Cancellation {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** One that is nothing else. Its listeners are called once, in their order; what one throws does not reach the others. */
export class PlainCancellation implements Cancellation {
  aborted = false;
  readonly #listeners: (() => void)[] = [];

  /** Itself: it is to be had as that of an AbortController. */
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
        // As an AbortSignal does it.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
}
