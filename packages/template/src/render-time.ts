import type { Context } from 'liquidjs';
import { renderMs } from './limits.js';

/**
 * The CPU time limit of one rendering. Time in which other processes run does not count. CPU time is read only after
 * the same time has passed on the clock, because reading it is a system call.
 */
class RenderTime {
  readonly #begun: NodeJS.CpuUsage = process.cpuUsage();
  #nextCheck: number = performance.now() + renderMs;

  /** Throws, as liquidjs does, when the time is up. `now` is the value of `performance.now()`. */
  check(now: number): void {
    if (now <= this.#nextCheck) return;
    const { user, system } = process.cpuUsage(this.#begun);
    const left = renderMs - (user + system) / 1_000;
    if (left <= 0) throw new Error('template render limit exceeded');
    this.#nextCheck = now + left;
  }
}

/** Creates the limit with the type of liquidjs' own class, which liquidjs does not export. */
export const renderTime = (): Context['renderLimit'] => new RenderTime() as unknown as Context['renderLimit'];
