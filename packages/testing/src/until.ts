/** Options of `until`. */
export interface UntilOptions {
  /** The time after which the wait fails. Default 5,000. */
  readonly timeoutMs?: number;
  /** The time between two checks. Default 5. */
  readonly everyMs?: number;
}

/**
 * Resolves to the result of `condition` as soon as it is truthy, checking it every few milliseconds. Rejects with the
 * text of the condition on a timeout. For tests: a sleep is either too long or too short.
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
      throw new Error(
        `timed out after ${timeoutMs} ms waiting until ${condition.toString().replace(/\s+/g, ' ')}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
