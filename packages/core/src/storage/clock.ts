/** A larger difference between the clocks of the process and of the storage is reported. */
const maxSkewMs = 30_000;
/**
 * A slow answer makes the storage's clock look late by at most the time that the answer took. If the clock is later by
 * more than this on top, the clock itself was set back.
 */
const maxLateMs = 1_000;
/** The process's clock and monotonic time do not drift apart by more than this unless the clock is set. */
const maxDriftMs = 1_000;

/** The time of both clocks of the process at one instant, in milliseconds. */
export interface Reading {
  /** Since 1970. */
  readonly wall: number;
  /** Since an arbitrary start. */
  readonly monotonic: number;
}

/**
 * The storage's clock, as this process knows it. Messages, records and ids carry the time of this one clock, whichever
 * process writes them. Each answer of the storage that has a time sets it. In between it advances with monotonic time,
 * so that it does not jump when the process's own clock is set.
 */
export class StorageClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  /** The storage's time minus monotonic time. */
  #offsetMs: number | undefined;
  /** The process's clock minus monotonic time, just before the storage last reported its time. */
  #wallOffsetMs = 0;
  #hasWarned = false;

  constructor(wall: () => number, monotonic: () => number) {
    this.#wall = wall;
    this.#monotonic = monotonic;
  }

  /**
   * Whether the storage has reported its time, and the machine has neither slept nor had its clock set since: monotonic
   * time may stand still while a machine sleeps. Before the first report, `now` is the process's own time.
   */
  get isSet(): boolean {
    if (this.#offsetMs === undefined) return false;
    return Math.abs(this.gapMs() - this.#wallOffsetMs) <= maxDriftMs;
  }

  /**
   * The storage's time, in milliseconds since 1970. Pass `monotonic` if the present monotonic time is already known.
   */
  readonly now = (monotonic: number = this.#monotonic()): number =>
    this.#offsetMs === undefined ? this.#wall() : monotonic + this.#offsetMs;

  /**
   * The process's clock minus monotonic time. It changes when the clock is set, and when the machine sleeps: monotonic
   * time may stand still then.
   */
  gapMs(monotonic: number = this.#monotonic()): number {
    return this.#wall() - monotonic;
  }

  /** Reads the process's clocks. Call it before a request to the storage, and pass the result to `set`. */
  read(): Reading {
    return { wall: this.#wall(), monotonic: this.#monotonic() };
  }

  /**
   * Sets the clock by an answer of the storage: `at` was its time at some point between `asked` and now. If the machine
   * slept or its clock was set in between, the answer may come from before or after that. `isSet` is false then, and
   * the storage has to be asked again.
   */
  set(at: Date, asked: Reading = this.read()): void {
    const answered = this.read();
    const waitedMs = answered.monotonic - asked.monotonic;
    const offsetMs = at.getTime() - answered.monotonic;
    this.#wallOffsetMs = asked.wall - asked.monotonic;
    const known = this.#offsetMs ?? Number.NEGATIVE_INFINITY;
    // The fastest answer is the most accurate.
    if (offsetMs > known || known - offsetMs > waitedMs + maxLateMs) this.#offsetMs = offsetMs;
    if (this.#hasWarned) return;
    // If the clocks agree, the storage's time lies between the two readings.
    const ahead = Math.min(asked.wall, answered.wall) - at.getTime();
    const behind = at.getTime() - Math.max(asked.wall, answered.wall);
    this.#warn(ahead > 0 ? ahead : -Math.max(behind, 0));
  }

  #warn(aheadMs: number): void {
    if (Math.abs(aheadMs) <= maxSkewMs) return;
    this.#hasWarned = true;
    const seconds = Math.round(Math.abs(aheadMs) / 1_000);
    const where = aheadMs > 0 ? 'ahead of' : 'behind';
    process.emitWarning(`the clock of this process is ${seconds} s ${where} the storage's`, {
      type: 'PosthornWarning',
      code: 'POSTHORN_CLOCK_OFF',
      detail:
        "signatures and records carry the storage's time; synchronize the clock of this machine, for example by NTP",
    });
  }
}
