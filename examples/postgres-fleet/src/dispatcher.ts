import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher } from '@posthorn/core';
import { postgresNotifier, postgresStorage } from '@posthorn/storage-postgres';
import pg from 'pg';

/** Every process of the application creates this dispatcher: the same database, the same channels. */
export function fleetDispatcher(connectionString: string) {
  const pool = new pg.Pool({ connectionString });
  const storage = postgresStorage(pool);
  const dispatcher = createDispatcher({
    storage,
    channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })], // the receiver is on this machine
    notifier: postgresNotifier(() => new pg.Client({ connectionString })),
    attemptDeadline: '2s',
    lease: '3s', // short, so that another worker soon takes over the deliveries of the killed one
    retry: { schedule: ['200ms', '400ms'] },
  });
  return { pool, storage, dispatcher };
}
