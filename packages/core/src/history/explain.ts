import { matchKeys } from '../match.js';
import type { Attempt, Delivery } from '../models/delivery.js';
import type { Event } from '../models/event.js';
import { madeAt } from '../models/ids.js';
import type { Webhook } from '../models/webhook.js';
import { scan } from '../storage/scan.js';
import type { UsableStorage } from '../storage/storage-port.js';
import {
  coveringPatterns,
  type MissedWebhook,
  maxMissed,
  type NamedWebhook,
  named,
  nearlyMatching,
  remedyFor,
  whyWithout,
} from './missed.js';
import { type NextStep, stepBefore, stepOf } from './next-step.js';

/** An event on its way to one channel binding of a webhook. */
export interface ExplainedDelivery {
  readonly bindingId: string;
  readonly channel: string;
  /** Null where there is none, or none yet: `next` says why. */
  readonly delivery: Delivery | null;
  /** First to last. */
  readonly attempts: readonly Attempt[];
  readonly next: NextStep;
}

export interface MatchedWebhook {
  /** Null where it is deleted. */
  readonly webhook: NamedWebhook | null;
  /** Those of its patterns that cover the event's type now; empty where none does any more. */
  readonly patterns: readonly string[];
  /** One for each of its channel bindings, in their order; then those to bindings that it has dropped. */
  readonly deliveries: readonly ExplainedDelivery[];
}

/** What became of an event, and why. Nothing secret is in it, and no configs. */
export interface Explanation {
  readonly event: Event;
  /** The webhooks that have deliveries of it, or should have; 200 deliveries or a few more at most. */
  readonly matched: readonly MatchedWebhook[];
  /** The webhooks that nearly got it, the nearest first; at most 50. */
  readonly missed: readonly MissedWebhook[];
  /** False where `matched` has no room for all, or the tenant more than the 10,000 webhooks and deliveries it looks at. */
  readonly isComplete: boolean;
}

const maxDeliveries = 200;
/** So many are read at a time: the storage has others to serve. */
const maxReads = 8;

type ExplainedStorage = Pick<UsableStorage, 'log' | 'webhooks' | 'supports'>;

/** What explains an event by what `storage` knows now. It looks at nothing of another tenant. */
export function explainer(storage: ExplainedStorage): (event: Event) => Promise<Explanation> {
  const { log, webhooks } = storage;
  return async (event) => {
    const { id: eventId, tenantId, type } = event;
    let isComplete = true;
    const onCut = (): void => {
      isComplete = false;
    };

    const deliveries = new Map<string, Delivery[]>();
    for await (const delivery of scan((page) => log.deliveries(tenantId, { ...page, eventId }), onCut)) {
      const known = deliveries.get(delivery.webhookId);
      if (known) known.push(delivery);
      else deliveries.set(delivery.webhookId, [delivery]);
    }
    // Where they are not all known, a webhook without one may have one.
    const { unsent, late } = isComplete
      ? await matchingWithout(storage, event, deliveries, onCut)
      : { unsent: [], late: [] };
    const others = without(
      deliveries,
      scan((page) => webhooks.list(tenantId, page), onCut),
    );
    const missed = [...late, ...(await nearlyMatching(others, type))].slice(0, maxMissed);

    const shown = new Map<string, readonly Delivery[]>();
    let room = maxDeliveries;
    for (const [id, own] of [...deliveries, ...unsent.map((id) => [id, []] as const)]) {
      if (room <= 0) {
        onCut();
        break;
      }
      shown.set(id, own);
      room -= Math.max(own.length, 1);
    }
    const matched = await matchedWebhooks(storage, event, shown);
    return { event, matched, missed, isComplete };
  };
}

/** The webhooks that match the event and have no delivery of it: ids of those that should, and why the others do not. */
async function matchingWithout(
  { webhooks, supports }: ExplainedStorage,
  { id, tenantId, type }: Event,
  deliveries: ReadonlyMap<string, readonly Delivery[]>,
  onCut: () => void,
): Promise<{ readonly unsent: readonly string[]; readonly late: readonly MissedWebhook[] }> {
  const unsent: string[] = [];
  const late: MissedWebhook[] = [];
  const covering = coveringPatterns(type);
  const publishedAt = publicationOf(id, deliveries);
  const keys = matchKeys(type);
  for await (const webhook of scan((page) => webhooks.list(tenantId, { ...page, keys }), onCut)) {
    if (deliveries.has(webhook.id)) continue;
    const why = whyWithout(webhook, publishedAt);
    if (!why) {
      unsent.push(webhook.id);
      continue;
    }
    const message = supports.replays ? `${why.message}; ${remedyFor(webhook)}` : why.message;
    late.push({ webhook: named(webhook), pattern: covering(webhook)[0]!, reason: why.reason, message });
  }
  return { unsent, late };
}

/** Webhooks with their deliveries, as they are now. */
async function matchedWebhooks(
  { log, webhooks }: ExplainedStorage,
  event: Event,
  deliveries: ReadonlyMap<string, readonly Delivery[]>,
): Promise<MatchedWebhook[]> {
  const { tenantId, type } = event;
  const covering = coveringPatterns(type);
  const attempts = new Map<string, readonly Attempt[]>();
  await eachOf([...deliveries.values()].flat(), async ({ id }) => {
    attempts.set(id, await log.attempts(tenantId, id));
  });
  const present = new Map<string, Webhook | undefined>();
  await eachOf([...deliveries.keys()], async (id) => {
    present.set(id, await webhooks.get(tenantId, id));
  });
  return [...deliveries].map(([id, own]): MatchedWebhook => {
    const webhook = present.get(id);
    return {
      webhook: webhook ? named(webhook) : null,
      patterns: webhook ? covering(webhook) : [],
      deliveries: explained(event, webhook, own, attempts),
    };
  });
}

/** When the event was published, in milliseconds: by the storage's clock where there is a delivery to ask. */
function publicationOf(eventId: string, deliveries: ReadonlyMap<string, readonly Delivery[]>): number {
  let first = Number.POSITIVE_INFINITY;
  for (const own of deliveries.values()) {
    // One that another's failure began may be younger.
    for (const { createdAt } of own) first = Math.min(first, createdAt.getTime());
  }
  return Number.isFinite(first) ? first : madeAt(eventId);
}

async function* without(
  known: ReadonlyMap<string, unknown>,
  webhooks: AsyncIterable<Webhook>,
): AsyncGenerator<Webhook> {
  for await (const webhook of webhooks) if (!known.has(webhook.id)) yield webhook;
}

/** What became of it for each binding of the webhook, in their order, and then for those that it had. */
function explained(
  event: Event,
  webhook: Webhook | undefined,
  deliveries: readonly Delivery[],
  attempts: ReadonlyMap<string, readonly Attempt[]>,
): ExplainedDelivery[] {
  const begun = (delivery: Delivery): ExplainedDelivery => {
    const { id, bindingId, channel } = delivery;
    const tried = attempts.get(id) ?? [];
    const next = stepOf(delivery, tried.at(-1), event, webhook);
    return { bindingId, channel, delivery, attempts: tried, next };
  };
  const left = new Map(deliveries.map((delivery) => [delivery.bindingId, delivery]));
  const ofBindings = (webhook?.channels ?? []).map((binding): ExplainedDelivery => {
    const { id, channel } = binding;
    const delivery = left.get(id);
    left.delete(id);
    if (delivery) return begun(delivery);
    const next = stepBefore(binding, webhook!, deliveries, attempts);
    return { bindingId: id, channel, delivery: null, attempts: [], next };
  });
  return [...ofBindings, ...[...left.values()].map(begun)];
}

async function eachOf<Item>(items: readonly Item[], read: (item: Item) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += maxReads) {
    await Promise.all(items.slice(at, at + maxReads).map(read));
  }
}
