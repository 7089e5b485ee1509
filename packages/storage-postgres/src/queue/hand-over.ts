import type { WebhookEvent } from '@posthorn/core';
import { type Claim, deliveryId, type NewEvent } from '@posthorn/core/storage';
import type { Database, Statement } from '../client/database.js';
import { few } from '../client/given-rows.js';
import { type Release, releaser, tokenOf } from './leases.js';
import type { Leased } from './store-answer.js';
import { stampOf, type WebhookCache } from './webhook-cache.js';

/** The lease, and the time when the attempts began, where they begin with it. */
export interface HandedOver {
  readonly lease: number;
  readonly begunAt: Date | undefined;
}

/** Creates claims of deliveries that were leased when they were stored. */
export class HandOvers {
  readonly #db: Database;
  readonly #webhooks: WebhookCache;
  readonly #leased: Statement;
  readonly #release: Release;

  constructor(db: Database, webhooks: WebhookCache) {
    this.#db = db;
    this.#webhooks = webhooks;
    this.#leased = db.statement(`
      select q.event_id, q.binding_id, q.webhook_id, ${stampOf('w')} as stamp
      from json_to_recordset($1::json) as g(n integer, id text)
      cross join lateral (select * from $.queue where event_id = g.id and lease = $2::bigint offset 0) q
      cross join lateral (select position, version from $.webhooks where id = q.webhook_id offset 0) w
      where ${few('g.n')}`);
    this.#release = releaser(db);
  }

  /**
   * Returns the claims of what was leased. This includes deliveries that a first try of the same call leased, which
   * stored `earlier` and whose answer was lost. Returns undefined where the claims could not be created: the deliveries
   * are released.
   */
  async claims(
    events: readonly NewEvent[],
    leased: readonly Leased[],
    { lease, begunAt }: HandedOver,
    earlier: readonly NewEvent[] = [],
  ): Promise<readonly Claim[] | undefined> {
    try {
      const before = earlier.length > 0 ? await this.#leasedBefore(earlier, lease) : [];
      return await this.#claimsOf([...leased, ...before], { lease, begunAt });
    } catch {
      await this.#release(lease, events);
      return undefined;
    }
  }

  async #leasedBefore(events: readonly NewEvent[], lease: number): Promise<Leased[]> {
    const byId = new Map(events.map((event) => [event.id, event]));
    const rows = await this.#db.run(this.#leased, [idsText(events), lease]);
    return rows.map((row) => ({
      event: byId.get(row.event_id)!,
      target: { id: row.webhook_id, stamp: row.stamp, bindingId: row.binding_id },
    }));
  }

  async #claimsOf(leased: readonly Leased[], { lease, begunAt }: HandedOver): Promise<readonly Claim[]> {
    if (leased.length === 0) return [];
    const webhooks = await this.#webhooks.read(leased.map(({ target }) => target));
    return leased.map(({ event, target: { id: webhookId, bindingId } }) => {
      const id = deliveryId(event.id, bindingId);
      return {
        deliveryId: id,
        token: tokenOf(lease, id),
        attempt: 1,
        ...(begunAt && { begunAt }),
        attemptsBeforeRetry: 0,
        deferredSince: null,
        event: eventOf(event),
        ...webhooks.parts(webhookId, event.tenantId, bindingId),
      };
    });
  }
}

export const idsText = (events: readonly NewEvent[]): string =>
  JSON.stringify(events.map(({ id }, n) => ({ n, id })));

/**
 * Returns the event of a claim. Field by field, because copying the object would be most of the cost of a dispatch.
 */
function eventOf(event: NewEvent): WebhookEvent {
  const { id, tenantId, type, payload, occurredAt, namespaceId, subject, cacheScope, orderingKey } = event;
  return {
    id,
    tenantId,
    type,
    payload,
    occurredAt: new Date(occurredAt),
    namespaceId,
    subject: subject && { ...subject },
    cacheScope,
    orderingKey,
  };
}
