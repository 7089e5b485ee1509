/** Something that works in the background from `start` to `stop`. */
export interface BackgroundPart {
  start(): void;
  /** Begins nothing more, and waits for what is in flight, for about `graceMs` at most. */
  stop(graceMs: number): Promise<void> | void;
}

/** Starts and stops the background parts together. */
export class Background {
  readonly #parts: readonly BackgroundPart[];
  #stops = 0;
  #startsAgain = false;

  constructor(parts: readonly BackgroundPart[]) {
    this.#parts = parts;
  }

  /** During a stop, starts when the stop is over: otherwise some parts would be started by one call and stopped by the other. */
  start(): void {
    if (this.#stops > 0) this.#startsAgain = true;
    else for (const part of this.#parts) part.start();
  }

  /** A second call may shorten the grace time. */
  async stop(graceMs: number): Promise<void> {
    this.#startsAgain = false;
    this.#stops++;
    try {
      await Promise.all(this.#parts.map((part) => part.stop(graceMs)));
    } finally {
      this.#stops--;
      if (this.#startsAgain && this.#stops === 0) {
        this.#startsAgain = false;
        this.start();
      }
    }
  }
}
