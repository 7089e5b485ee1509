import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StorageAdapter } from '@posthorn/core';
import type { NewEvent } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { reopenedOf } from './reopen.js';
import {
  acme,
  claimAll,
  deliveriesOf,
  eventsOf,
  hourMs,
  idsOf,
  newBinding,
  newEvents,
  newWebhook,
  publish,
  result,
  sorted,
} from './sample.js';

/** The number of moments at which a call is cut off, from its beginning to its end. */
const moments = 12;

/**
 * Starts `call`, and runs `cut` after `turns` turns of the event loop, or once the call has ended. Resolves when both
 * have ended, to whether the call resolved and the number of turns.
 */
export async function cutAt(
  turns: number,
  call: () => Promise<unknown>,
  cut: () => Promise<void>,
): Promise<{ readonly isDone: boolean; readonly turns: number }> {
  let isDone = false;
  let isOver = false;
  const ended = call().then(
    () => {
      isDone = true;
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  let turn = 0;
  for (; turn < turns && !isOver; turn++) await nextTurn();
  await cut();
  await ended;
  return { isDone, turns: turn };
}

/** Passes if all events of one call are stored with their deliveries, or none are and the call did not resolve. */
export async function wholeOrNothing(
  storage: StorageAdapter<unknown>,
  events: readonly NewEvent[],
  isDone: boolean,
): Promise<void> {
  const ids = new Set(idsOf(events));
  const stored = (await eventsOf(storage)).filter(({ id }) => ids.has(id));
  const deliveries = (await deliveriesOf(storage)).filter(({ eventId }) => ids.has(eventId));
  ok(!isDone || stored.length === events.length, 'publish resolved, but not all of its events are stored');
  ok(
    stored.length === 0 || stored.length === events.length,
    `${stored.length} of ${events.length} events of one call are stored: expected all or none`,
  );
  assert.equal(
    deliveries.length,
    stored.length,
    `${stored.length} events have ${deliveries.length} deliveries`,
  );
}

/** Runs `round` at each moment of a call in turn, each time on the data that the last round left. */
async function atEachMoment(
  under: StorageUnderTest,
  round: (
    storage: StorageAdapter<unknown>,
    turns: number,
  ) => Promise<{ storage: StorageAdapter<unknown>; turns: number }>,
): Promise<void> {
  if (under.storage.isVolatile) return;
  // The first round is not cut off, to measure how many turns the call takes.
  let { storage, turns } = await round(under.storage, Number.POSITIVE_INFINITY);
  for (let moment = 0; moment < moments; moment++) {
    ({ storage } = await round(storage, (turns * moment) / moments));
  }
}

export const cutOffRules: readonly StorageRule[] = topic<StorageUnderTest>('cut-off', {
  'a publish that a crash cuts off is stored completely or not at all, and can be repeated': async (
    under,
  ) => {
    await under.storage.webhooks.create(newWebhook());
    await atEachMoment(under, async (before, at) => {
      const events = newEvents(20).map((event, i) => ({
        ...event,
        ...(i % 4 === 0 && { idempotencyKey: event.id, fingerprint: 'print' }),
      }));
      let storage = before;
      const { isDone, turns } = await cutAt(
        at,
        () => before.deliveries.publish(events),
        async () => {
          storage = await reopenedOf(under);
        },
      );
      await wholeOrNothing(storage, events, isDone);
      const { published } = await storage.deliveries.publish(events);
      same(
        published,
        events.map(({ id }) => ({ eventId: id, deliveries: 1 })),
      );
      await wholeOrNothing(storage, events, true);
      return { storage, turns };
    });
  },

  'a result that a crash cuts off is stored with its attempt and the deliveries it begins, or not at all':
    async (under) => {
      const first = newBinding();
      const second = newBinding({ onlyAfter: { channel: first.id, failedAttempts: 1 } });
      await under.storage.webhooks.create(newWebhook({ channels: [first, second] }));
      await atEachMoment(under, async (before, at) => {
        const events = newEvents(8);
        await publish(before, ...events);
        const claims = await claimAll(before, { leaseMs: 100 * hourMs });
        const settlements = claims.map((claimed) => ({
          ...result(claimed, 'dead'),
          escalateTo: [second.id],
        }));
        let storage = before;
        const { isDone, turns } = await cutAt(
          at,
          () => before.deliveries.settle(settlements),
          async () => {
            storage = await reopenedOf(under);
          },
        );
        for (const { deliveryId, event } of claims) {
          const deliveries = await deliveriesOf(storage, acme, { eventId: event.id });
          const status = deliveries.find(({ id }) => id === deliveryId)?.status;
          const attempts = await storage.log.attempts(acme, deliveryId);
          const seen = [status, attempts.length, deliveries.length - 1];
          if (isDone || status === 'dead') same(seen, ['dead', 1, 1]);
          else same(seen, ['sending', 0, 0]);
        }
        // A result that was not stored can still be stored with the token.
        await storage.deliveries.settle(settlements);
        const rest = await claimAll(storage);
        same(sorted(rest.map(({ event }) => event.id)), sorted(idsOf(events)));
        await storage.deliveries.settle(rest.map((claimed) => result(claimed, 'delivered')));
        return { storage, turns };
      });
    },
});
