/** How far the clocks may be apart before it is said. */
const maxSkewMs = 30_000;
/** An answer that took its time makes the storage's clock look late by as much: beyond that the clock itself was set. */
const maxLateMs = 1_000;
/** By more than so much the process's own clock does not leave monotonic time by itself. */
const maxDriftMs = 1_000;

/** What the clocks of the process said at one instant. */
export interface Reading {
  readonly wall: number;
  readonly monotonic: number;
}

/**
 * The storage's clock, read in this process: receivers, records and ids bear the time of one clock, whichever process
 * writes them. Each answer of the storage that bears its time sets it. Between those it runs on with monotonic time, so
 * that nothing happens when the process's own clock is set.
 */
export class StorageClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  /** What monotonic time lies behind it. */
  #offsetMs: number | undefined;
  /** What it lay behind the process's own clock when the storage told its time last. */
  #wallOffsetMs = 0;
  #hasWarned = false;

  constructor(wall: () => number, monotonic: () => number) {
    this.#wall = wall;
    this.#monotonic = monotonic;
  }

  /**
   * Whether the storage has told its time, and nothing has happened since: while a machine sleeps, monotonic time may stand
   * still. Until it has, `now` is the process's own.
   */
  get isSet(): boolean {
    if (this.#offsetMs === undefined) return false;
    return Math.abs(this.gapMs() - this.#wallOffsetMs) <= maxDriftMs;
  }

  /** Milliseconds since 1970. `monotonic` is what monotonic time is now, where that is known. */
  readonly now = (monotonic: number = this.#monotonic()): number =>
    this.#offsetMs === undefined ? this.#wall() : monotonic + this.#offsetMs;

  /**
   * How far the process's own clock is from monotonic time. It changes when the clock is set, or the machine has slept:
   * monotonic time may not go on then.
   */
  gapMs(monotonic: number = this.#monotonic()): number {
    return this.#wall() - monotonic;
  }

  /** What the process's own clocks say, before it asks the storage: for `set`. */
  read(): Reading {
    return { wall: this.#wall(), monotonic: this.#monotonic() };
  }

  /**
   * The storage has just answered that it is `at`, or was since it was asked. Where the machine has slept meanwhile, or
   * its clock was set, nobody knows on which side of that the answer lies: it is to be asked again.
   */
  set(at: Date, asked: Reading = this.read()): void {
    const answered = this.read();
    const waitedMs = answered.monotonic - asked.monotonic;
    const offsetMs = at.getTime() - answered.monotonic;
    this.#wallOffsetMs = asked.wall - asked.monotonic;
    const known = this.#offsetMs ?? Number.NEGATIVE_INFINITY;
    // The answer that was the fastest is the nearest to the truth.
    if (offsetMs > known || known - offsetMs > waitedMs + maxLateMs) this.#offsetMs = offsetMs;
    if (this.#hasWarned) return;
    // A clock that is right has passed the storage's time between the two readings.
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
      detail: "signatures and records bear the storage's time; set the machine's clock, by NTP for one",
    });
  }
}
