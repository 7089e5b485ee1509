import { withDeadline } from '../deadline.js';
import type { PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { Notifier } from '../storage/ports.js';

/** The least time between two hints. Hints requested sooner are combined into the next. */
const spacingMs = 100;

/** Sends hints to other processes, a few per second at most, and receives theirs. */
export class NotifierLink {
  readonly #notifier: Notifier | undefined;
  readonly #wake: () => void;
  readonly #lifecycle: LifecycleEmitter;
  #spacing: NodeJS.Timeout | undefined;
  #isWanted = false;
  #listening: Promise<(() => Promise<void>) | undefined> | undefined;

  constructor(notifier: Notifier | undefined, wake: () => void, lifecycle: LifecycleEmitter) {
    this.#notifier = notifier;
    this.#wake = wake;
    this.#lifecycle = lifecycle;
  }

  /** Sends a hint, now or combined with others soon. */
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
    void this.#guarded(() => this.#notifier!.notify());
  }

  start(): void {
    const notifier = this.#notifier;
    if (notifier) this.#listening ??= this.#guarded(() => notifier.listen(this.#wake));
  }

  /** Waits at most `graceMs`: a notifier that does not answer must not keep the process from stopping. */
  async stop(graceMs: number): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    const ended = listening?.then(async (end) => {
      if (end) await this.#guarded(end);
    });
    await withDeadline(ended, graceMs, () => {});
  }

  /**
   * Emits `error` where the notifier fails. A lost hint costs one poll interval, so no caller fails with it. A notifier is
   * foreign code and may throw where it should reject.
   */
  async #guarded<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#lifecycle.emit('error', () => error as PosthornError);
      return undefined;
    }
  }
}
