import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import { Connecting } from './connecting.js';
import { dial, findToDial } from './dial.js';
import type { Policy } from './policy.js';
import { connectToProxy } from './proxy.js';
import type { Resolve } from './resolve.js';
import { portOf } from './url.js';

/** Begins to connect. The callback hears how that ended, once; until then what is returned can be closed. */
export type Connect = (
  target: buildConnector.Options,
  callback: buildConnector.Callback,
  trust?: SecureContext,
) => Connecting;

/** The guard's judgement, and what a connection needs besides. */
export interface ConnectOptions {
  readonly policy: Policy;
  readonly connectTimeoutMs: number;
  readonly trust: SecureContext;
  /** Throws for a host that must not be looked up or dialled. */
  checkHost(host: string): void;
  /** Of a host that has been checked. Rejects where one of them must not be dialled, and so does what comes late. */
  readonly addressesOf: Resolve;
  /** Throws where a socket must not have gone there. */
  checkConnected(host: string, address: string | undefined): void;
  readonly resolveProxy: Resolve;
}

/** Opens connections: name, TCP, proxy and TLS within the connect timeout. */
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
    // It returns the socket; its type says otherwise, for connectors that have none yet.
    connecting.hold(tlsSocket as Socket);
  }

  async function begin(connecting: Connecting, target: buildConnector.Options, own: SecureContext) {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    // A literal address is looked up nowhere; and no one is to rely on the guard's `check` having been called before.
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

/** Begins TLS over a socket that is connected. */
const tlsConnector = (secureContext: SecureContext): buildConnector.connector =>
  buildConnector({
    // The connect timeout stands above it.
    timeout: 0,
    // A receiver that answers by HTTP/2 only is refused by ALPN; HTTP/1.1 is what the caps are made for.
    allowH2: false,
    // A resumed TLS session skips the check of the host name, and measured, resuming gains nothing here.
    maxCachedSessions: 0,
    // Else NODE_TLS_REJECT_UNAUTHORIZED=0, set for the sake of some other service, would trust everybody here.
    rejectUnauthorized: true,
    secureContext,
    // Its own, so that a polluted Object.prototype leads to no socket of this machine.
    socketPath: null,
  });
