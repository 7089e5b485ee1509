/**
 * Resolves to the milliseconds that this process kept the processor until `work` had ended. What other processes do
 * meanwhile does not count, as it would by the clock: for tests that say how much something costs, on busy machines too.
 */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
