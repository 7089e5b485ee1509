import { connect, isIPv6, type Socket, type TcpSocketConnectOpts } from 'node:net';
import type { Connecting } from './connecting.js';
import type { Resolve } from './resolve.js';

/** Delay between the starts of two attempts (RFC 8305 §8). */
const attemptDelayMs = 250;

/** A tenant's host name may have thousands of addresses. */
const maxAttempts = 10;

const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: 64 * 1024 };

/** The addresses to connect to. */
export interface Found {
  readonly addresses: readonly string[];
  /** Addresses of the slower family. Rejects if one of them must not be dialled. */
  readonly late?: Promise<readonly string[]>;
}

/** Resolves a name as soon as one address family can be dialled; the other family follows in `late`. */
export async function findToDial(resolve: Resolve, host: string): Promise<Found> {
  let late: Promise<readonly string[]> | undefined;
  const addresses = await resolve(host, (coming) => {
    late = coming;
    // The dial may be over before `late` settles: its rejection must not be unhandled.
    coming.catch(() => {});
  });
  return { addresses, ...(late && { late }) };
}

/**
 * Connects to the first address that accepts (RFC 8305 §5).
 * - The next address is tried after 250 ms, or as soon as the previous one fails. Slow attempts go on in parallel.
 * - Late addresses join the queue. If all other addresses have failed, the dial waits for them.
 * - `onError` is called with the first failure once every address has failed, with a late address that must not be
 *   dialled, and with any later error of the connected socket.
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
    // No prototype, so that a polluted Object.prototype cannot redirect the connection to a local socket.
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
    // With no address left, the timer is for the late ones.
    if (waiting.length > 0 || isMoreToCome) timer = setTimeout(tryNext, attemptDelayMs);
  }

  function addLate(more: readonly string[]): void {
    if (!isMoreToCome) return;
    isMoreToCome = false;
    waiting = alternating([...more, ...waiting]).slice(0, maxAttempts - attempts);
    if (waiting.length === 0 && trying.size === 0 && failure) onError(failure);
    // The last attempt has had its delay, or has failed.
    else if (timer === undefined || trying.size === 0) tryNext();
  }

  tryNext();
  late?.then(addLate, (error) => {
    if (isMoreToCome) onError(error);
    isMoreToCome = false;
  });
}

/** Removes duplicates and alternates the families (RFC 8305 §4), starting with the family of the first address. */
function alternating(addresses: readonly string[]): string[] {
  const all = [...new Set(addresses)];
  const isFirst = isIPv6(all[0] ?? '');
  const [ones, others] = [true, false].map((same) =>
    all.filter((address) => (isIPv6(address) === isFirst) === same),
  );
  return all.flatMap((_, at) => [ones![at], others![at]]).filter((address) => address !== undefined);
}
