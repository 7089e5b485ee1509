import { networkInterfaces } from 'node:os';
import { bytesOf } from './addresses.js';

/** How long the list is cached. Interfaces rarely change, and listing them costs as much as a DNS look-up. */
const maxAgeMs = 10_000;

let own: ReadonlySet<string> = new Set();
let readAt = Number.NEGATIVE_INFINITY;

/** Whether the address belongs to this machine. A request to it may reach the application itself. */
export function isOwnAddress(address: string): boolean {
  const now = performance.now();
  if (now - readAt > maxAgeMs) {
    readAt = now;
    own = new Set(
      Object.values(networkInterfaces()).flatMap((entries = []) =>
        entries.map((entry) => keyOf(entry.address)),
      ),
    );
  }
  return own.has(keyOf(address));
}

const keyOf = (address: string): string => bytesOf(address)?.toString('hex') ?? '';
