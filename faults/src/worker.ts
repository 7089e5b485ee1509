import { type EngineSettings, engine } from './engine.js';

/*
 * A worker process: `worker <settings>`. It starts at once, or on the message `start` if its settings have `waits`. On
 * the message `stop` it stops with the given grace time.
 */

const settings: EngineSettings = JSON.parse(process.argv[2]!);
const { dispatcher, pool, statements } = await engine(settings);
const count = { delivered: 0, failed: 0, released: 0, lost: 0, errors: 0 };
dispatcher
  .on('delivery:delivered', () => count.delivered++)
  .on('delivery:failed', () => count.failed++)
  .on('delivery:released', () => count.released++)
  .on('delivery:lost', () => count.lost++)
  .on('error', () => count.errors++);
if (!settings.waits) dispatcher.start();

process.on('message', async (message: { start?: true; stop?: number; ask?: true; health?: true }) => {
  if (message.start) dispatcher.start();
  if (message.ask) process.send?.({ count, statements: statements() });
  if (message.health) {
    const begin = performance.now();
    await pool.query('select 1').catch(() => {});
    process.send?.({ healthMs: performance.now() - begin });
  }
  if (message.stop === undefined) return;
  await dispatcher.stop({ grace: message.stop });
  await pool.end();
  process.send?.({ stopped: true, count });
  process.disconnect();
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
