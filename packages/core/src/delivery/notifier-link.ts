import type { PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import type { Notifier } from '../storage/ports.js';
import { withTimeout } from './with-timeout.js';

/** So many milliseconds lie between two hints at least: what comes sooner goes with the next. */
const spacingMs = 100;

/** Hints to other processes, a few a second at most, and theirs to this one. */
export class NotifierLink {
  readonly #notifier: Notifier | undefined;
  readonly #wake: () => void;
  readonly #announcer: Announcer;
  #spacing: NodeJS.Timeout | undefined;
  #isWanted = false;
  #listening: Promise<(() => Promise<void>) | undefined> | undefined;

  constructor(notifier: Notifier | undefined, wake: () => void, announcer: Announcer) {
    this.#notifier = notifier;
    this.#wake = wake;
    this.#announcer = announcer;
  }

  /** Tells the others, now or with what else is to be told soon. */
  send(): void {
    if (!this.#notifier) return;
    if (this.#spacing) {
      this.#isWanted = true;
      return;
    }
    this.#isWanted = false;
    this.#spacing = setTimeout(() => {
      this.#spacing = undefined;
      if (this.#isWanted) this.send();
    }, spacingMs).unref();
    void this.#heard(() => this.#notifier!.notify());
  }

  start(): void {
    const notifier = this.#notifier;
    if (notifier) this.#listening ??= this.#heard(() => notifier.listen(this.#wake));
  }

  /** Waits `graceMs` at most: a notifier that does not answer has no say in when the process stops. */
  async stop(graceMs: number): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    const ended = listening?.then(async (end) => {
      if (end) await this.#heard(end);
    });
    await withTimeout(graceMs, ended);
  }

  /**
   * A hint that fails costs a poll: it is announced, and nobody fails with it. A notifier is other people's code, and may
   * throw where it should reject.
   */
  async #heard<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#announcer.announce('error', () => error as PosthornError);
      return undefined;
    }
  }
}
