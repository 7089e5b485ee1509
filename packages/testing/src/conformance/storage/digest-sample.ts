import type { ChannelBinding, Claim, NewEvent, Storage } from '@posthorn/core';
import type { StorageUnderTest } from './harness.js';
import {
  claim,
  deliveriesOf,
  hourMs,
  idsOf,
  newBinding,
  newEvents,
  newWebhook,
  one,
  publish,
} from './sample.js';

/* What the rules about digests are made of. */

export const windowMs = hourMs;

/** A webhook that wants what happens within an hour as one message. */
export async function gathering(
  storage: Storage<unknown>,
  maxEvents = 100,
  others: readonly ChannelBinding[] = [],
): Promise<ChannelBinding> {
  const binding = newBinding({ digest: { window: windowMs, maxEvents } });
  await storage.webhooks.create(newWebhook({ channels: [binding, ...others] }));
  return binding;
}

/** The ids of a digest's events. */
export const idsIn = ({ digest }: Claim): string[] => idsOf(digest ?? []);

/** Publishes so many, and claims the digest that they are. */
export async function digestOf(
  { storage, advance }: StorageUnderTest,
  count: number,
): Promise<{ events: NewEvent[]; claimed: Claim }> {
  const events = newEvents(count);
  await publish(storage, ...events);
  await advance(2 * windowMs);
  return { events, claimed: one(await claim(storage)) };
}

export const statusesOf = async (storage: Storage<unknown>): Promise<string[]> =>
  (await deliveriesOf(storage)).map(({ status }) => status);
