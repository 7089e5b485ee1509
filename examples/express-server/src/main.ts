import { httpChannel } from '@posthorn/channel-http';
import pg from 'pg';
import { shop } from './shop.js';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const { app, posthorn } = await shop(pool, [httpChannel()]);
posthorn.on('error', (error) => console.error(error));
posthorn.start();
const server = app.listen(Number(process.env.PORT ?? 3000));
process.once('SIGTERM', () => {
  server.close(async () => {
    await posthorn.stop(); // waits for attempts in flight, releases the rest
    await pool.end();
  });
});
