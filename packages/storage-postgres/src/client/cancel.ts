import { withDeadline } from '@posthorn/core/storage';
import type { PgClient, PgPool } from './pg-client.js';

/** The part of a `pg` Client's connection with which a cancel request is sent. */
interface WireConnection {
  readonly stream: { destroy(): unknown };
  readonly sslNegotiation?: string;
  once(event: 'connect' | 'sslconnect' | 'end' | 'error', listener: () => void): unknown;
  on(event: 'error', listener: () => void): unknown;
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: unknown): void;
}

/** A server that is alive accepts the request at once. */
const limitMs = 2_000;

/**
 * Asks the server to cancel the statement that `client` is running. Uses a new connection, as the protocol requires
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS); a pooler passes the
 * request on. Resolves when the request was accepted or cannot be made. Never rejects.
 */
export async function cancelRunning(pool: PgPool, client: PgClient): Promise<void> {
  const { processID, secretKey, host = 'localhost', port = 5432 } = client;
  if (!pool.Client || processID == null || secretKey == null) return;
  try {
    const { connection, ssl } = new pool.Client(pool.options) as {
      connection: WireConnection;
      ssl?: unknown;
    };
    const ask = () => connection.cancel(processID, secretKey);
    connection.once('connect', () => {
      if (!ssl) ask();
      else if (connection.sslNegotiation !== 'direct') connection.requestSsl();
    });
    connection.once('sslconnect', ask);
    const ended = new Promise<void>((resolve) => {
      connection.on('error', resolve);
      connection.once('end', resolve);
    });
    if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
    else connection.connect(port, host);
    await withDeadline(ended, limitMs, () => {});
    connection.stream.destroy();
  } catch {
    // Another kind of client cannot cancel: its connection is only dropped.
  }
}
