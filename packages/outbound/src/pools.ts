import type { HttpRequest } from './client.js';
import type { Connect } from './connect.js';
import { Connection, type ConnectionOptions, type Destination } from './connection.js';
import { type AnswerLimits, type Exchange, maxAnswerBytes } from './exchange.js';
import { type Connections, Pool } from './pool.js';

export interface PoolsOptions extends AnswerLimits {
  readonly connect: Connect;
  readonly connections: number;
  readonly keepAliveMs: number;
  readonly maxConnectionAgeMs: number;
  readonly maxOrigins: number;
}

/** Connection pools, one per destination. */
export interface Pools {
  /** Sends a request as soon as one of the destination's connections is free. */
  send(destination: Destination, request: HttpRequest, exchange: Exchange): void;
  /** Closes all connections when the requests in flight have ended. Nothing may be sent afterwards. */
  close(): Promise<void>;
}

export function createPools(options: PoolsOptions): Pools {
  const pools = new Map<string, Pool>();
  const open = new Set<Connection>();
  let uses = 0;
  let onClosed: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  const connectionOptions: ConnectionOptions = {
    connect: options.connect,
    maxAnswerBytes: maxAnswerBytes(options),
    // One request at a time, so that a response always belongs to the request in flight.
    pipelining: 1,
    keepAliveTimeout: options.keepAliveMs,
    // A receiver's Keep-Alive header may shorten the timeout, not extend it.
    keepAliveMaxTimeout: options.keepAliveMs,
    maxHeaderSize: options.maxHeaderBytes,
    // The request's deadline covers both. undici's own timers have a resolution of half a second.
    headersTimeout: 0,
    bodyTimeout: 0,
  };

  const connections: Connections = {
    open(destination) {
      const connection = new Connection(destination, connectionOptions);
      open.add(connection);
      return connection;
    },

    close(connection) {
      connection.close(() => {
        open.delete(connection);
        if (open.size === 0) onClosed?.();
      });
    },
  };

  function add(destination: Destination): Pool {
    if (pools.size >= options.maxOrigins) retireLeastRecentlyUsed();
    const pool = new Pool(destination, options, connections, () => {
      if (pools.get(destination.key) === pool) pools.delete(destination.key);
    });
    pools.set(destination.key, pool);
    return pool;
  }

  function retireLeastRecentlyUsed(): void {
    let longest: Pool | undefined;
    for (const pool of pools.values()) {
      if (!longest || pool.usedAt < longest.usedAt) longest = pool;
    }
    if (!longest) return;
    pools.delete(longest.destination.key);
    longest.retire();
  }

  return {
    send(destination, request, exchange) {
      const pool = pools.get(destination.key) ?? add(destination);
      // A counter is cheaper than reading the clock or moving the pool to the end of the map.
      pool.usedAt = ++uses;
      pool.send(request, exchange);
    },

    close() {
      closed ??= new Promise((resolve) => {
        onClosed = resolve;
        for (const pool of [...pools.values()]) pool.retire();
        if (open.size === 0) resolve();
      });
      return closed;
    },
  };
}
