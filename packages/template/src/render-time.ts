import type { Context } from 'liquidjs';
import { renderMs } from './limits.js';

/**
 * How much of the processor one rendering may use: the time in which something else has it is not the template's. Looked
 * at is the process's only when as much has passed on the clock, as each look is a call of the system.
 */
class RenderTime {
  readonly #begun: NodeJS.CpuUsage = process.cpuUsage();
  #nextLook: number = performance.now() + renderMs;

  /** Throws, as liquidjs does, when the time is up. `now` is the clock's, as `performance.now` tells it. */
  check(now: number): void {
    if (now <= this.#nextLook) return;
    const { user, system } = process.cpuUsage(this.#begun);
    const left = renderMs - (user + system) / 1_000;
    if (left <= 0) throw new Error('template render limit exceeded');
    this.#nextLook = now + left;
  }
}

/** A rendering's time, as liquidjs wants it: a class that it does not export. */
export const renderTime = (): Context['renderLimit'] => new RenderTime() as unknown as Context['renderLimit'];
