/**
 * Resolves to the CPU milliseconds that this process used until `work` ended. Unlike wall-clock time, this does not
 * include other processes, so cost tests hold on busy machines too.
 */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
