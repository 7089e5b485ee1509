import { randomInt } from 'node:crypto';
import type { Claim } from '@posthorn/core';

/*
 * A lease is a number that no other call has; all that one call claims shares it. A token is the lease and the delivery
 * that it was given with, so that it opens no other.
 */

export const newLease = (): number => randomInt(2 ** 48 - 1);

export const tokenOf = (lease: number, deliveryId: string): string => `${lease}.${deliveryId}`;

/** Undefined for what is no token of this delivery. */
export function leaseOf({ token, deliveryId }: Pick<Claim, 'token' | 'deliveryId'>): number | undefined {
  const end = token.length - deliveryId.length - 1;
  if (end < 1 || end > 15 || token[end] !== '.' || !token.endsWith(deliveryId)) return undefined;
  const lease = Number(token.slice(0, end));
  return Number.isSafeInteger(lease) ? lease : undefined;
}
