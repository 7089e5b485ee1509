import { fleetDispatcher } from './dispatcher.js';

/* One worker process. */

const { dispatcher, pool } = fleetDispatcher(process.env.DATABASE_URL!);
dispatcher.on('error', (error) => console.error(error.message));
dispatcher.start();
process.send?.('ready');
process.on('disconnect', async () => {
  await dispatcher.stop();
  await pool.end();
});
