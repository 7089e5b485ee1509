import { connect, isIPv6, type Socket, type TcpSocketConnectOpts } from 'node:net';
import type { Connecting } from './connecting.js';

/** Between the beginnings of two attempts: RFC 8305 §8. */
const attemptDelayMs = 250;

/** A stranger's name may have thousands of addresses. */
const maxAttempts = 10;

const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: 64 * 1024 };

/**
 * Connects to the first of some addresses to answer (RFC 8305 §5). Each is given a quarter of a second, or until it
 * fails, before the next one is tried beside it: one that is slow still counts. `onError` hears of the first failure
 * when all have failed, and of any later one of the socket that was connected.
 */
export function dial(
  connecting: Connecting,
  addresses: readonly string[],
  port: number,
  onConnect: (socket: Socket) => void,
  onError: (error: Error) => void,
): void {
  const waiting = alternating(addresses).slice(0, maxAttempts);
  const trying = new Set<Socket>();
  let timer: NodeJS.Timeout | undefined;
  let failure: Error | undefined;

  function tryNext(): void {
    clearTimeout(timer);
    const host = waiting.shift();
    if (host === undefined || connecting.isOver) return;
    // Its own, so that a polluted Object.prototype leads to no socket of this machine.
    const socket = connect({ __proto__: null, host, port, ...tcp } as TcpSocketConnectOpts);
    trying.add(socket);
    connecting.hold(socket);
    socket.once('connect', () => {
      clearTimeout(timer);
      waiting.length = 0;
      failure = undefined;
      trying.delete(socket);
      for (const slower of trying) slower.destroy();
      trying.clear();
      onConnect(socket);
    });
    socket.on('error', (error) => {
      failure ??= error;
      trying.delete(socket);
      if (waiting.length > 0) tryNext();
      else if (trying.size === 0) onError(failure);
    });
    if (waiting.length > 0) timer = setTimeout(tryNext, attemptDelayMs);
  }

  tryNext();
}

/** Each once, the families in turn (RFC 8305 §4), beginning with that of the first. */
function alternating(addresses: readonly string[]): string[] {
  const all = [...new Set(addresses)];
  const isFirst = isIPv6(all[0] ?? '');
  const [ones, others] = [true, false].map((same) =>
    all.filter((address) => (isIPv6(address) === isFirst) === same),
  );
  return all.flatMap((_, at) => [ones![at], others![at]]).filter((address) => address !== undefined);
}
