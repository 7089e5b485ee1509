/** Next calls this once, when the server begins. Where no process stays up, as on serverless hosts, run a worker elsewhere. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { posthorn } = await import('./posthorn.js');
    posthorn.on('error', (error) => console.error(error));
    posthorn.start();
    process.once('SIGTERM', () => void posthorn.stop());
  }
}
