import type { ClaimOptions, NewEvent, PublishResult } from '@posthorn/core/storage';
import { type Database, type Statement, statementsOf } from '../client/database.js';
import { isUniqueViolation } from '../client/faults.js';
import type { Answer } from '../client/queryable.js';
import { dateOf } from '../client/values.js';
import { KnownTargets } from './known-targets.js';
import { hasDetails, type QuickBatch, quickBatch, valuesOf, valuesOfOne } from './quick-batch.js';
import { type QuickShape, quickText, quickTextOfOne } from './quick-texts.js';
import type { ReadyWebhook } from './ready-webhooks.js';
import type { Leased } from './store-answer.js';

export interface QuickResult {
  readonly published: readonly PublishResult[];
  readonly at: Date;
  readonly leased: readonly Leased[];
  /** The lanes of the stored deliveries, where some of them wait; otherwise none. */
  readonly waiting: readonly ReadyWebhook[];
}

/** Stores events whose targets are cached, with the same rows and the same answer as the general statement. */
export class QuickPublisher {
  readonly known = new KnownTargets();
  readonly #db: Database;
  readonly #many: (shape: QuickShape) => Statement;
  readonly #one: (shape: QuickShape) => Statement;

  constructor(db: Database) {
    this.#db = db;
    const options = { expectsUniqueViolation: true };
    this.#many = statementsOf(db, quickText, options);
    this.#one = statementsOf(db, quickTextOfOne, options);
  }

  /**
   * Resolves to undefined, with nothing stored, where targets are unknown, webhooks have changed since they were
   * cached, or one of the events is stored already. The general statement handles all of these.
   */
  async publish(
    events: readonly NewEvent[],
    prefetch: ClaimOptions | undefined,
    lease: number,
  ): Promise<QuickResult | undefined> {
    const batch = quickBatch(events, this.known, prefetch);
    if (!batch) return undefined;
    const { kinds, targets, deliveries, leased: wanted } = batch;
    const row = await this.#store(batch, prefetch, lease);
    if (!row) return undefined;
    const leased = leasedOf(wanted, row);
    const isWaiting = leased.length < deliveries.length;
    return {
      published: events.map(({ id }, n) => ({ eventId: id, deliveries: kinds[n]!.targets.length })),
      at: dateOf(row.at),
      leased,
      waiting: isWaiting ? targets.map(({ tenantId, id }) => ({ tenantId, webhookId: id })) : [],
    };
  }

  async #store(
    batch: QuickBatch,
    prefetch: ClaimOptions | undefined,
    lease: number,
  ): Promise<Answer['rows'][number] | undefined> {
    const { events, targets, leased } = batch;
    const isOne = events.length === 1 && targets.length === 1;
    const statement = (isOne ? this.#one : this.#many)({
      hasClaims: leased.length > 0,
      isBegun: leased.length > 0 && prefetch?.isBegun === true,
      hasDetails: !isOne && events.some(hasDetails),
    });
    const values = (isOne ? valuesOfOne : valuesOf)(batch, { lease, leaseMs: prefetch?.leaseMs ?? 0 });
    try {
      return (await this.#db.run(statement, values))[0];
    } catch (error) {
      if (isUniqueViolation(error)) return undefined;
      throw error;
    }
  }
}

/** Returns what was leased: everything that was wanted, except for webhooks whose deliveries have waited for long. */
function leasedOf(
  wanted: QuickBatch['leased'],
  { waiting, leased }: Answer['rows'][number],
): readonly Leased[] {
  if (leased !== undefined) return Number(leased) === 1 ? wanted : [];
  if (waiting === undefined || waiting === '[]') return wanted;
  const passed = new Set<string>(JSON.parse(waiting));
  return wanted.filter(({ target }) => !passed.has(target.id));
}
