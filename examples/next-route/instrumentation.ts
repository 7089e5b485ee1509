/**
 * Next calls this once, when the server starts. On serverless hosts no process stays up: run a worker elsewhere, or
 * call `drain()` from a cron job.
 */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { posthorn } = await import('./posthorn.js');
    posthorn.on('error', (error) => console.error(error));
    posthorn.start();
    process.once('SIGTERM', () => void posthorn.stop());
  }
}
