import type { NewEvent } from '@posthorn/core/storage';
import { type Chain, chainsOf } from './ordering.js';
import type { ReadyWebhook } from './ready-webhooks.js';
import type { WebhookVersion } from './webhook-cache.js';

/** The answer of the statement that publishes. */
export interface StoreAnswer {
  /** The time of the publication, in milliseconds since the Unix epoch. */
  readonly at: string;
  /** The events that were stored before; null where none was. */
  readonly earlier: readonly number[] | null;
  /**
   * The kind of event, the webhook, its stamp, and the binding; with versions, also its channel and its digest window.
   */
  readonly targets: readonly (readonly [number, string, string, string, string?, (number | null)?])[];
  /** The tenants of the events, and the version of the webhooks of each. */
  readonly versions?: readonly (readonly [string, string])[];
  /** The number of deliveries, and of those that are leased. */
  readonly placed: number;
  readonly leased: number;
  /** The event and target of each waiting delivery, where some wait and some are leased; otherwise null. */
  readonly waiting: readonly (readonly [number, number])[] | null;
  /**
   * The event and target of each delivery that is behind another one with its ordering key; missing or null where none
   * is.
   */
  readonly held?: readonly (readonly [number, number])[] | null;
}

/** A delivery that is stored and leased for the caller. */
export interface Leased {
  readonly event: NewEvent;
  /** The webhook and its binding. The deliveries of one call to one binding share it. */
  readonly target: WebhookVersion & { readonly bindingId: string };
}

/** Returns everything that was stored, except for what waits. */
export function leasedOf(
  events: readonly NewEvent[],
  rows: readonly { readonly sort: number }[],
  { earlier, targets, leased: count, waiting }: StoreAnswer,
): Leased[] {
  if (count === 0) return [];
  const targetsOf = new Map<number, { readonly t: number; readonly target: Leased['target'] }[]>();
  for (const [t, [sort, id, stamp, bindingId]] of targets.entries()) {
    const target = { t, target: { id, stamp, bindingId } };
    const known = targetsOf.get(sort);
    if (known) known.push(target);
    else targetsOf.set(sort, [target]);
  }
  const before = new Set(earlier);
  const left = new Set(waiting?.map(([n, t]) => `${n} ${t}`));
  const leased: Leased[] = [];
  for (const [n, event] of events.entries()) {
    if (before.has(n)) continue;
    for (const { t, target } of targetsOf.get(rows[n]!.sort) ?? []) {
      if (left.size === 0 || !left.has(`${n} ${t}`)) leased.push({ event, target });
    }
  }
  return leased;
}

/** Returns the lanes of what was stored. */
export function lanesOf(
  { targets }: StoreAnswer,
  sorts: readonly { readonly tenant: string }[],
): ReadyWebhook[] {
  return targets.map(([sort, webhookId]) => ({ tenantId: sorts[sort]!.tenant, webhookId }));
}

/** Returns the chains in which a delivery was stored behind another one. */
export function chainsHeld({ held, targets }: StoreAnswer, events: readonly NewEvent[]): Chain[] {
  return chainsOf(
    (held ?? []).map(([n, t]) => ({ bindingId: targets[t]![3], orderingKey: events[n]!.orderingKey! })),
  );
}
