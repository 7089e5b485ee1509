import { connect, isIPv6, type Socket, type TcpSocketConnectOpts } from 'node:net';
import type { Connecting } from './connecting.js';
import type { Resolve } from './resolve.js';

/** Between the beginnings of two attempts: RFC 8305 §8. */
const attemptDelayMs = 250;

/** A stranger's name may have thousands of addresses. */
const maxAttempts = 10;

const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: 64 * 1024 };

/** Where to connect. */
export interface Found {
  readonly addresses: readonly string[];
  /** Those of the family that was not waited for. Rejects where one of them must not be dialled. */
  readonly late?: Promise<readonly string[]>;
}

/** What is there of a name as soon as there is something to dial, and the rest when it comes. */
export async function findToDial(resolve: Resolve, host: string): Promise<Found> {
  let late: Promise<readonly string[]> | undefined;
  const addresses = await resolve(host, (coming) => {
    late = coming;
    // Where nothing comes to be dialled, nobody hears of it.
    coming.catch(() => {});
  });
  return { addresses, ...(late && { late }) };
}

/**
 * Connects to the first of some addresses to answer (RFC 8305 §5). Each is given a quarter of a second, or until it
 * fails, before the next one is tried beside it: one that is slow still counts. What comes late is tried in its turn, and
 * waited for where all others have failed. `onError` hears of the first failure when all have failed, of a late address
 * that must not be dialled, and of any later failure of the socket that was connected.
 */
export function dial(
  connecting: Connecting,
  { addresses, late }: Found,
  port: number,
  onConnect: (socket: Socket) => void,
  onError: (error: Error) => void,
): void {
  let waiting = alternating(addresses).slice(0, maxAttempts);
  const trying = new Set<Socket>();
  let attempts = 0;
  let isMoreToCome = late !== undefined;
  let timer: NodeJS.Timeout | undefined;
  let failure: Error | undefined;

  function tryNext(): void {
    clearTimeout(timer);
    timer = undefined;
    const host = waiting.shift();
    if (host === undefined || connecting.isOver) return;
    attempts += 1;
    // Its own, so that a polluted Object.prototype leads to no socket of this machine.
    const socket = connect({ __proto__: null, host, port, ...tcp } as TcpSocketConnectOpts);
    trying.add(socket);
    connecting.hold(socket);
    socket.once('connect', () => {
      clearTimeout(timer);
      waiting = [];
      isMoreToCome = false;
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
      else if (trying.size === 0 && !isMoreToCome) onError(failure);
    });
    // Without another address it is for one that comes late.
    if (waiting.length > 0 || isMoreToCome) timer = setTimeout(tryNext, attemptDelayMs);
  }

  function hearLate(more: readonly string[]): void {
    if (!isMoreToCome) return;
    isMoreToCome = false;
    waiting = alternating([...more, ...waiting]).slice(0, maxAttempts - attempts);
    if (waiting.length === 0 && trying.size === 0 && failure) onError(failure);
    // The last one has had its quarter of a second, or has failed.
    else if (timer === undefined || trying.size === 0) tryNext();
  }

  tryNext();
  late?.then(hearLate, (error) => {
    if (isMoreToCome) onError(error);
    isMoreToCome = false;
  });
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
