import { serve } from '@hono/node-server';
import { httpChannel } from '@posthorn/channel-http';
import { teamServer } from './server.js';

const { app, posthorn } = teamServer([httpChannel()], process.env.TOKEN_SECRET!);
posthorn.on('error', (error) => console.error(error));
posthorn.start();
const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) });
process.once('SIGTERM', () => server.close(() => void posthorn.stop()));
