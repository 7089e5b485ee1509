import type { ChannelBinding, StorageAdapter } from '@posthorn/core';
import type { Claim, NewEvent } from '@posthorn/core/storage';
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

/* Sample data for the rules about digests. */

export const windowMs = hourMs;

/** Creates a webhook that gathers the events of an hour into one message. */
export async function gathering(
  storage: StorageAdapter<unknown>,
  maxEvents = 100,
  others: readonly ChannelBinding[] = [],
): Promise<ChannelBinding> {
  const binding = newBinding({ digest: { window: windowMs, maxEvents } });
  await storage.webhooks.create(newWebhook({ channels: [binding, ...others] }));
  return binding;
}

/** Returns the event ids of a digest. */
export const idsIn = ({ digest }: Claim): string[] => idsOf(digest ?? []);

/** Publishes `count` events, and claims the digest of them. */
export async function digestOf(
  { storage, advance }: StorageUnderTest,
  count: number,
): Promise<{ events: NewEvent[]; claimed: Claim }> {
  const events = newEvents(count);
  await publish(storage, ...events);
  await advance(2 * windowMs);
  return { events, claimed: one(await claim(storage)) };
}

export const statusesOf = async (storage: StorageAdapter<unknown>): Promise<string[]> =>
  (await deliveriesOf(storage)).map(({ status }) => status);
