export interface UntilOptions {
  /** After so long the wait is given up. Default 5,000. */
  readonly timeoutMs?: number;
  /** Looks again after so long. Default 5. */
  readonly everyMs?: number;
}

/**
 * Resolves as soon as `condition` is true, and to what it returned; looks again every few milliseconds. Rejects
 * with what is being waited for when the time is over. For tests: a sleep is either too long or too short.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | 0 | '' | null | undefined>> {
  const { timeoutMs = 5_000, everyMs = 5 } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result) return result as Exclude<T, false | 0 | '' | null | undefined>;
    if (performance.now() > end) {
      throw new Error(`waited ${timeoutMs} ms in vain until ${condition.toString().replace(/\s+/g, ' ')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
