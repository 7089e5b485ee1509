import assert from 'node:assert/strict';
import type { StorageAdapter } from '@posthorn/core';
import type { Claim, NewEvent } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import type { StorageUnderTest } from './harness.js';
import { claim, hourMs, newEvents, newWebhook, one, publish, result, settleAll } from './sample.js';

/** Creates events with one ordering key. */
export const keyed = (count: number, orderingKey = 'order-1'): NewEvent[] =>
  newEvents(count, { orderingKey });

/** A failed attempt with a retry. With `unblocksOrder`, the next delivery of its key goes first. */
export const retryIn = (claimed: Claim, delayMs: number, unblocksOrder = false) =>
  result(claimed, { status: 'pending', delayMs, unblocksOrder });

/** Creates a webhook, and publishes events of one key one after the other. */
export async function chain({ storage }: StorageUnderTest, count: number): Promise<NewEvent[]> {
  await storage.webhooks.create(newWebhook());
  const events = keyed(count);
  for (const event of events) await publish(storage, event);
  return events;
}

/** Returns the only claim, which must be of this event. */
export async function claimOf(storage: StorageAdapter<unknown>, event: NewEvent | undefined): Promise<Claim> {
  const claimed = one(await claim(storage, { leaseMs: 100 * hourMs }));
  assert.equal(claimed.event.id, event?.id);
  return claimed;
}

/** Settles the claim as delivered. */
export const deliver = (storage: StorageAdapter<unknown>, claimed: Claim): Promise<void> =>
  settleAll(storage, [result(claimed, 'delivered')]);

/** Claims deliveries one after the other, delivers each, and passes where they come in this order. */
export async function goInOrder(
  storage: StorageAdapter<unknown>,
  events: readonly NewEvent[],
): Promise<void> {
  for (const event of events) await deliver(storage, await claimOf(storage, event));
  same(await claim(storage), []);
}
