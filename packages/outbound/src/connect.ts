import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import { Connecting } from './connecting.js';
import { dial, findToDial } from './dial.js';
import type { Policy } from './policy.js';
import { connectToProxy } from './proxy.js';
import type { Resolve } from './resolve.js';
import { portOf } from './url.js';

/**
 * Starts to connect. The callback is called once with the result; until then the returned `Connecting` can be closed.
 */
export type Connect = (
  target: buildConnector.Options,
  callback: buildConnector.Callback,
  trust?: SecureContext,
) => Connecting;

/** The guard's checks, and the settings of a connection. */
export interface ConnectOptions {
  readonly policy: Policy;
  readonly connectTimeoutMs: number;
  readonly trust: SecureContext;
  /** Throws for a host that must not be resolved or dialled. */
  checkHost(host: string): void;
  /** Resolves a checked host. Rejects if any address must not be dialled, and so does the promise of late addresses. */
  readonly addressesOf: Resolve;
  /** Throws if the address that the socket reached is not allowed. */
  checkConnected(host: string, address: string | undefined): void;
  readonly resolveProxy: Resolve;
}

/** Returns a function that opens connections. DNS, TCP, proxy and TLS share one connect timeout. */
export function createConnect(options: ConnectOptions): Connect {
  const { policy, connectTimeoutMs, trust, checkHost, addressesOf, checkConnected, resolveProxy } = options;
  const connectors = new WeakMap<SecureContext, buildConnector.connector>();

  function beginTls(
    socket: Socket,
    target: buildConnector.Options,
    own: SecureContext,
    connecting: Connecting,
  ): void {
    const begin = connectors.get(own) ?? tlsConnector(own);
    connectors.set(own, begin);
    const tlsSocket: unknown = begin({ ...target, httpSocket: socket }, (error, connected) => {
      if (error) connecting.fail(error);
      else connecting.succeed(connected);
    });
    // undici's connector returns the socket, although its type declares void.
    connecting.hold(tlsSocket as Socket);
  }

  async function begin(connecting: Connecting, target: buildConnector.Options, own: SecureContext) {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    // Checked here too: a literal address is never resolved, and the caller may not have called the guard's `check`.
    checkHost(host);
    const isTls = target.protocol === 'https:';
    const fail = (error: Error): void => connecting.fail(error);
    const onOpen = (socket: Socket): void => {
      if (isTls) beginTls(socket, target, own, connecting);
      else connecting.succeed(socket);
    };
    if (policy.proxy) {
      const proxy = { ...policy.proxy, secureContext: trust, resolve: resolveProxy };
      await connectToProxy(proxy, target, connecting, onOpen);
      return;
    }
    const found = await findToDial(addressesOf, host);
    const onConnect = (socket: Socket): void => {
      try {
        checkConnected(host, socket.remoteAddress);
      } catch (error) {
        fail(error as Error);
        return;
      }
      onOpen(socket);
    };
    dial(connecting, found, portOf(target), onConnect, fail);
  }

  return (target, callback, own = trust) => {
    const connecting = new Connecting(connectTimeoutMs, callback);
    begin(connecting, target, own).catch((error) => connecting.fail(error));
    return connecting;
  };
}

/** Returns a connector that starts TLS on a connected socket. */
const tlsConnector = (secureContext: SecureContext): buildConnector.connector =>
  buildConnector({
    // The timer of `Connecting` covers the handshake.
    timeout: 0,
    // ALPN refuses a receiver that supports HTTP/2 only. The caps are designed for HTTP/1.1.
    allowH2: false,
    // A resumed TLS session skips the host name check. Measured: resumption gains nothing here.
    maxCachedSessions: 0,
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0, set for another service, does not disable verification here.
    rejectUnauthorized: true,
    secureContext,
    // An own property, so that a polluted Object.prototype cannot redirect the connection to a local socket.
    socketPath: null,
  });
