import { matchKeys } from '../matching.js';
import type { Attempt, Delivery } from '../models/delivery.js';
import type { WebhookEvent } from '../models/event.js';
import { madeAt } from '../models/ids.js';
import type { Webhook } from '../models/webhook.js';
import type { CheckedStorage } from '../storage/checked-storage.js';
import { paginate } from '../storage/paginate.js';
import {
  coveringPatterns,
  explainUnmatched,
  type MissedWebhook,
  maxMissed,
  type NamedWebhook,
  named,
  nearlyMatching,
  remedyFor,
} from './missed.js';
import { type NextStep, nextStepForDelivery, stepBefore } from './next-step.js';

/** An event on its way to one channel binding of a webhook. */
export interface ExplainedDelivery {
  readonly bindingId: string;
  readonly channel: string;
  /** Null if there is none, or none yet. `next.why` has the reason. */
  readonly delivery: Delivery | null;
  /** First to last. */
  readonly attempts: readonly Attempt[];
  readonly next: NextStep;
}

/** A webhook that matched an event, with its deliveries of the event. */
export interface MatchedWebhook {
  /** Null if it was deleted. */
  readonly webhook: NamedWebhook | null;
  /** Its present patterns that cover the event's type. Empty if they were changed since. */
  readonly patterns: readonly string[];
  /** One for each of its channel bindings, in order. Then those of bindings that were removed. */
  readonly deliveries: readonly ExplainedDelivery[];
}

/** What became of an event, and why. It has no secrets and no configs. */
export interface Explanation {
  readonly event: WebhookEvent;
  /** The webhooks that have deliveries of it, or should have. Limited to about 200 deliveries. */
  readonly matched: readonly MatchedWebhook[];
  /** The webhooks that nearly got it, the nearest first. At most 50. */
  readonly missed: readonly MissedWebhook[];
  /**
   * Whether it is complete. False if `matched` was cut, or the tenant has more than 10,000 webhooks or deliveries of
   * it.
   */
  readonly isComplete: boolean;
}

const maxDeliveries = 200;
/** The most concurrent reads: the storage serves deliveries at the same time. */
const maxReads = 8;

type ExplainedStorage = Pick<CheckedStorage, 'log' | 'webhooks' | 'supports'>;

/** Returns a function that explains an event from the present records of its tenant. */
export function createExplain(storage: ExplainedStorage): (event: WebhookEvent) => Promise<Explanation> {
  const { log, webhooks } = storage;
  return async (event) => {
    const { id: eventId, tenantId, type } = event;
    let isComplete = true;
    const onCut = (): void => {
      isComplete = false;
    };

    const deliveries = new Map<string, Delivery[]>();
    for await (const delivery of paginate((page) => log.deliveries(tenantId, { ...page, eventId }), onCut)) {
      const known = deliveries.get(delivery.webhookId);
      if (known) known.push(delivery);
      else deliveries.set(delivery.webhookId, [delivery]);
    }
    // If not all deliveries were read, a webhook that seems to have none may have one.
    const { unsent, late } = isComplete
      ? await matchingWithout(storage, event, deliveries, onCut)
      : { unsent: [], late: [] };
    const others = without(
      deliveries,
      paginate((page) => webhooks.list(tenantId, page), onCut),
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

/** Finds the webhooks that match the event without a delivery of it: `unsent` should have one, `late` have a reason. */
async function matchingWithout(
  { webhooks, supports }: ExplainedStorage,
  { id, tenantId, type }: WebhookEvent,
  deliveries: ReadonlyMap<string, readonly Delivery[]>,
  onCut: () => void,
): Promise<{ readonly unsent: readonly string[]; readonly late: readonly MissedWebhook[] }> {
  const unsent: string[] = [];
  const late: MissedWebhook[] = [];
  const covering = coveringPatterns(type);
  const publishedAt = publicationOf(id, deliveries);
  const keys = matchKeys(type);
  for await (const webhook of paginate((page) => webhooks.list(tenantId, { ...page, keys }), onCut)) {
    if (deliveries.has(webhook.id)) continue;
    const why = explainUnmatched(webhook, publishedAt);
    if (!why) {
      unsent.push(webhook.id);
      continue;
    }
    const message = supports.replays ? `${why.message}; ${remedyFor(webhook)}` : why.message;
    late.push({ webhook: named(webhook), pattern: covering(webhook)[0]!, reason: why.reason, message });
  }
  return { unsent, late };
}

/** Reads the webhooks of the deliveries, and the attempts. */
async function matchedWebhooks(
  { log, webhooks }: ExplainedStorage,
  event: WebhookEvent,
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

/** When the event was published, in milliseconds since 1970. By the storage's clock if the event has a delivery. */
function publicationOf(eventId: string, deliveries: ReadonlyMap<string, readonly Delivery[]>): number {
  let first = Number.POSITIVE_INFINITY;
  for (const own of deliveries.values()) {
    // A delivery that began after the failure of another one may be later.
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

/** Explains the event for each binding of the webhook, in order, and then for the removed bindings. */
function explained(
  event: WebhookEvent,
  webhook: Webhook | undefined,
  deliveries: readonly Delivery[],
  attempts: ReadonlyMap<string, readonly Attempt[]>,
): ExplainedDelivery[] {
  const begun = (delivery: Delivery): ExplainedDelivery => {
    const { id, bindingId, channel } = delivery;
    const tried = attempts.get(id) ?? [];
    const next = nextStepForDelivery(delivery, tried.at(-1), event, webhook);
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
