import type { NewEvent } from '@posthorn/core';
import type { Lane } from './lanes.js';
import { type Chain, chainsOf } from './ordering.js';
import type { WebhookVersion } from './webhook-cache.js';

/** What the statement that publishes answers. */
export interface StoreAnswer {
  /** When it was stored, in milliseconds since 1970. */
  readonly at: string;
  /** Which events were stored before; null where none was. */
  readonly earlier: readonly number[] | null;
  /** Sort of event, webhook, its stamp, and binding; where versions are told, its channel and how long it gathers, too. */
  readonly targets: readonly (readonly [number, string, string, string, string?, (number | null)?])[];
  /** Tenants of the events, and the version of the webhooks of each. */
  readonly versions?: readonly (readonly [string, string])[];
  /** How many deliveries there are, and how many of them are leased. */
  readonly placed: number;
  readonly leased: number;
  /** Event and target of each that waits, where some wait and some are leased; else null. */
  readonly waiting: readonly (readonly [number, number])[] | null;
  /** Event and target of each that is behind another with its ordering key; left out or null where none is. */
  readonly held?: readonly (readonly [number, number])[] | null;
}

/** A delivery that is stored, and the caller's. */
export interface Leased {
  readonly event: NewEvent;
  /** The webhook and its binding; deliveries of one call to one binding share it. */
  readonly target: WebhookVersion & { readonly bindingId: string };
}

/** All that was stored, but for what waits. */
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

/** The lanes of what was stored. */
export function lanesOf({ targets }: StoreAnswer, sorts: readonly { readonly tenant: string }[]): Lane[] {
  return targets.map(([sort, webhookId]) => ({ tenantId: sorts[sort]!.tenant, webhookId }));
}

/** The chains in which something was stored behind another. */
export function chainsHeld({ held, targets }: StoreAnswer, events: readonly NewEvent[]): Chain[] {
  return chainsOf(
    (held ?? []).map(([n, t]) => ({ bindingId: targets[t]![3], orderingKey: events[n]!.orderingKey! })),
  );
}
