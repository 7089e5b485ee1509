/** Something that works in the background from `start` to `stop`. */
export interface BackgroundPart {
  start(): void;
  /** Begins nothing more, and waits for what is under way, `graceMs` or little longer. */
  stop(graceMs: number): Promise<void> | void;
}

/** What works in the background, started and stopped together. */
export class Background {
  readonly #parts: readonly BackgroundPart[];
  #stops = 0;
  #startsAgain = false;

  constructor(parts: readonly BackgroundPart[]) {
    this.#parts = parts;
  }

  /** While a stop is under way it begins when that is over: no part is to be started by one and ended by the other. */
  start(): void {
    if (this.#stops > 0) this.#startsAgain = true;
    else for (const part of this.#parts) part.start();
  }

  /** A second call may be less patient. */
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
