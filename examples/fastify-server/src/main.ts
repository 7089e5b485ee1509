import { httpChannel } from '@posthorn/channel-http';
import { notesServer } from './server.js';

const { app, posthorn } = notesServer([httpChannel()]);
posthorn.on('error', (error) => app.log.error(error));
await app.listen({ port: Number(process.env.PORT ?? 3000) });
process.once('SIGTERM', () => void app.close());
