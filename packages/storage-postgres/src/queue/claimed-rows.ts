import { type Claim, deliveryId, digestId } from '@posthorn/core/storage';
import type { Database, Statement } from '../client/database.js';
import { eventOf } from '../client/event-rows.js';
import { hasKey } from '../client/given-rows.js';
import type { Answer } from '../client/queryable.js';
import { restored } from '../client/texts.js';
import { dateOf, dateOrNull } from '../client/values.js';
import { type Digests, isDigest } from './digests.js';
import { tokenOf } from './leases.js';
import { Payloads } from './payloads.js';
import type { SeenWebhook, WebhookCache } from './webhook-cache.js';

/** Creates claims of leased rows: reads their webhooks, the deliveries of digests, and large payloads. */
export class ClaimedRows {
  readonly #db: Database;
  readonly #webhooks: WebhookCache;
  readonly #digests: Digests;
  readonly #payloads: Payloads;
  readonly #drop: Statement;

  constructor(db: Database, webhooks: WebhookCache, digests: Digests) {
    this.#db = db;
    this.#webhooks = webhooks;
    this.#digests = digests;
    this.#payloads = new Payloads(db);
    this.#drop = db.statement(`
      delete from $.queue q using json_to_recordset($1::json) as g(event text, lease bigint)
      where ${hasKey('q', { event_id: 'g.event' })} and q.lease = g.lease`);
  }

  async claims(rows: Answer['rows'], lease: number): Promise<readonly Claim[]> {
    const seen = new Map<string, SeenWebhook>();
    for (const { webhook_id: id, stamp } of rows) seen.set(id, { id, stamp });
    const webhooks = await this.#webhooks.read([...seen.values()]);
    const digests = rows
      .filter(({ event_id }) => isDigest(event_id))
      .map(({ event_id: id, binding_id: bindingId, attempts, begun_at }) => ({
        id,
        bindingId,
        attempts: Number(attempts),
        hasBegun: begun_at !== null,
      }));
    const gathered = await this.#digests.follow(digests, lease);
    await this.#payloads.fill(rows);
    const gone: { event: string; lease: number }[] = [];
    const claims = rows.flatMap((row): Claim[] => {
      const digest = gathered.get(row.event_id);
      const event = digest?.[0] ?? (row.id === null ? undefined : eventOf(row));
      if (!event) {
        gone.push({ event: row.event_id, lease });
        return [];
      }
      const id = (digest ? digestId : deliveryId)(row.event_id, row.binding_id);
      const checkpoint = restored(row.memo);
      return [
        {
          deliveryId: id,
          token: tokenOf(lease, id),
          attempt: Number(row.attempts) + (row.begun_at === null ? 1 : 0),
          attemptsBeforeRetry: Number(row.attempts_before),
          event,
          ...webhooks.parts(row.webhook_id, event.tenantId, row.binding_id),
          deferredSince: dateOrNull(row.put_off_since),
          ...(checkpoint !== null && { checkpoint }),
          ...(digest && { digest }),
          ...(row.begun_at !== null && { begunAt: dateOf(row.begun_at) }),
          ...(row.uncounted !== null && { uncounted: Number(row.uncounted) }),
          ...(row.lost_at !== null && { lostAt: dateOf(row.lost_at) }),
        },
      ];
    });
    // A manual retry and retention coincided, or all deliveries of a digest were cancelled: there is nothing to send.
    if (gone.length > 0) await this.#db.run(this.#drop, [JSON.stringify(gone)]);
    return claims;
  }
}
