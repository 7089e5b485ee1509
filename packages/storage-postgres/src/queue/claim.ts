import type { Claim, ClaimOptions } from '@posthorn/core/storage';
import { type Database, type Statement, statementsOf } from '../client/database.js';
import type { Answer } from '../client/queryable.js';
import { numberOrNull } from '../client/values.js';
import { discoverText, maxDue, maxShare, type TakeShape, takeText } from './claim-texts.js';
import { ClaimedRows } from './claimed-rows.js';
import type { Digests } from './digests.js';
import { newLease, type Release, releaser } from './leases.js';
import { cancelWaiting } from './orphans.js';
import { withinBytes } from './payloads.js';
import { type ReadyWebhook, ReadyWebhooks, type Room, type Share } from './ready-webhooks.js';
import type { WebhookCache } from './webhook-cache.js';

/** How long the result of a look is used. After that, another look may find new lanes. */
const lookEveryMs = 100;
/** How many more lanes are tried where the first ones had nothing. */
const maxSpare = 1_000;
/** Sorts before every lane: its tenant, its webhook. */
const first: readonly [string, string] = ['', ''];
/**
 * A statement that takes longer is slow: it steps over deleted rows that cannot be vacuumed, as under an old snapshot.
 */
const slowMs = 25;
/**
 * A slow complete look may take one part in this many of the time. Between complete looks, only recent due times are
 * searched.
 */
const slowShare = 20;
/**
 * How far back recent due times go, so that late commits are found, too; and how late a commit usually is, for one
 * lane.
 */
const latelyMs = 5_000;
const lateMs = 500;

/**
 * Claims in two steps. A look wakes what is due and finds the lanes that are not empty; `ReadyWebhooks` decides whose turn it
 * is; a take leases deliveries of these lanes. While the known lanes are fresh, a claim is a single take.
 */
export class Claimer {
  readonly #db: Database;
  readonly #digests: Digests;
  readonly #claimed: ClaimedRows;
  readonly #lanes = new ReadyWebhooks();
  readonly #look: Statement;
  /** By whether it is slow, and whether the attempts begin with it. */
  readonly #take: (shape: TakeShape) => Statement;
  readonly #cancelWaiting: (webhookId: string) => Promise<void>;
  readonly #release: Release;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #lookedWith = 0;
  /** The lane at which the last look of each kind reached its limit. The next one continues after it. */
  readonly #walkedTo = { complete: first, lately: first };
  /** How long the last complete look took, when it was, and when that was by the storage's clock. */
  #completeMs = 0;
  #completeAt = Number.NEGATIVE_INFINITY;
  #seenUntil: number | undefined;
  #isTakingSlow = false;
  /**
   * While takes are slow: the due time up to which each lane has been taken, so that those rows are not stepped over
   * again.
   */
  readonly #taken = new Map<string, number>();

  constructor(db: Database, webhooks: WebhookCache, digests: Digests) {
    this.#db = db;
    this.#digests = digests;
    this.#claimed = new ClaimedRows(db, webhooks, digests);
    this.#cancelWaiting = cancelWaiting(db);
    this.#release = releaser(db);
    this.#look = db.statement(discoverText);
    // Not retried: the deliveries that the first try leased would be unavailable until their lease ends.
    this.#take = statementsOf(db, takeText, { isRepeatable: false });
  }

  /** Adds lanes in which published deliveries wait. */
  expect(lanes: Iterable<ReadyWebhook>): void {
    for (const lane of lanes) this.#lanes.add(lane);
  }

  async claim(options: ClaimOptions): Promise<readonly Claim[]> {
    let looks = 0;
    for (let takes = 0; ; takes++) {
      const isStale =
        performance.now() - this.#lookedAt > lookEveryMs || this.#lookedWith !== this.#db.clockOffset;
      if (takes > 0 || isStale || this.#lanes.isEmpty) {
        looks++;
        const hasSeenAll = await this.#lookRound();
        if (hasSeenAll && this.#lanes.isEmpty) return [];
      }
      const claims = await this.#takeTurns(options);
      // The first look may go on from the middle; the second one begins anew, or goes on where that came to its limit.
      if (claims.length > 0 || looks === 2) return claims;
    }
  }

  /**
   * Wakes what is due, and finds the lanes that are not empty. Returns false where there is more than one look can
   * handle.
   */
  async #lookRound(): Promise<boolean> {
    const begin = performance.now();
    const isComplete =
      this.#seenUntil === undefined ||
      this.#completeMs < slowMs ||
      // With a clock that tests move, there are no late commits.
      this.#db.clockOffset !== 0 ||
      begin - this.#completeAt > slowShare * this.#completeMs;
    const since = isComplete ? 0 : this.#seenUntil! - latelyMs;
    const kind = isComplete ? 'complete' : 'lately';
    let alarms: number;
    let gathered: number;
    let last: string | null;
    let from: readonly [string, string];
    do {
      from = this.#walkedTo[kind];
      const [row] = await this.#db.run(this.#look, [since, ...from]);
      alarms = Number(row!.alarms);
      gathered = Number(row!.gathered);
      last = row!.last;
      this.#walkedTo[kind] = last === null ? first : JSON.parse(last);
      this.#seenUntil = Number(row!.now);
      for (const [tenantId, webhookId, isActive] of JSON.parse(row!.lanes)) {
        if (isActive) this.#lanes.add({ tenantId, webhookId });
        else if (isActive === null) await this.#cancelWaiting(webhookId);
      }
    } while (alarms === maxDue && this.#lanes.isEmpty);
    const end = performance.now();
    if (gathered > 0) {
      const { lanes, gone } = await this.#digests.form();
      this.expect(lanes);
      for (const webhookId of gone) await this.#cancelWaiting(webhookId);
    }
    this.#lookedAt = performance.now();
    this.#lookedWith = this.#db.clockOffset;
    // A walk that went on from the middle has not seen the lanes before it.
    const hasSeenAll = alarms < maxDue && from === first && last === null;
    if (!isComplete) return hasSeenAll;
    this.#completeAt = begin;
    this.#completeMs = end - begin;
    // Late commits have due times before those.
    this.#taken.clear();
    this.#isTakingSlow = false;
    return hasSeenAll;
  }

  /**
   * Takes until it has something, or no lanes are left. Others may have emptied all lanes at the front, so after an
   * empty take, many more lanes are tried at once.
   */
  async #takeTurns(options: ClaimOptions): Promise<readonly Claim[]> {
    const { limit, webhookLimit, webhookRoom } = options;
    const { tenantLimit = Number.POSITIVE_INFINITY, tenantRoom } = options;
    const room: Room = {
      of: ({ webhookId }) => Math.min(webhookRoom.get(webhookId) ?? webhookLimit, maxShare),
      ofTenant: (tenantId) => tenantRoom?.get(tenantId) ?? tenantLimit,
    };
    for (let spare = 0; ; spare = maxSpare) {
      const shares = this.#lanes.share(limit, room);
      if (shares.length === 0) return [];
      const claims = await this.#takeOf([...shares, ...this.#lanes.spares(shares, spare, room)], options);
      if (claims.length > 0) return claims;
    }
  }

  async #takeOf(
    shares: readonly Share[],
    { limit, leaseMs, isBegun = false }: ClaimOptions,
  ): Promise<readonly Claim[]> {
    const lease = newLease();
    const lanes = shares.map(({ lane: { tenantId, webhookId }, count }, n) => ({
      n,
      tenant: tenantId,
      webhook: webhookId,
      count,
      since: this.#taken.get(webhookId) ?? 0,
    }));
    const begin = performance.now();
    const statement = this.#take({ isSlow: this.#isTakingSlow, isBegun });
    const rows = await this.#db.run(statement, [JSON.stringify(lanes), lease, leaseMs, limit]);
    this.#isTakingSlow ||= performance.now() - begin > slowMs;
    this.#forgetEmpty(shares, rows, limit);
    const { kept, left } = withinBytes(rows);
    if (left.length > 0) await this.#giveBack(left, lease, shares);
    else this.#remember(rows[0]?.taken ?? '{}');
    try {
      return await this.#claimed.claims(kept, lease);
    } catch (error) {
      await this.#release(
        lease,
        kept.map(({ event_id: id }) => ({ id })),
      );
      throw error;
    }
  }

  /** Releases the deliveries that exceed the size limit. They are due as before, for the next claim. */
  async #giveBack(rows: Answer['rows'], lease: number, shares: readonly Share[]): Promise<void> {
    await this.#release(
      lease,
      rows.map(({ event_id: id, due, put_off_before: since }) => ({
        id,
        due: Number(due),
        since: numberOrNull(since),
      })),
    );
    const ids = new Set(rows.map(({ webhook_id: id }) => id));
    this.expect(shares.map(({ lane }) => lane).filter(({ webhookId }) => ids.has(webhookId)));
  }

  #remember(taken: string): void {
    for (const [webhookId, dueAt] of Object.entries<number>(JSON.parse(taken))) {
      this.#taken.set(webhookId, dueAt - lateMs);
    }
  }

  /**
   * Drops lanes that gave less than was asked for: they are empty, and a look finds later deliveries. Where the claim
   * was full, the lanes after the last one that gave something were not tried.
   */
  #forgetEmpty(shares: readonly Share[], rows: Answer['rows'], limit: number): void {
    const counts = new Map<string, number>();
    for (const { webhook_id } of rows) counts.set(webhook_id, (counts.get(webhook_id) ?? 0) + 1);
    const isFull = rows.length >= limit;
    const last = shares.findLastIndex(({ lane }) => counts.has(lane.webhookId));
    for (const { lane, count } of isFull ? shares.slice(0, last) : shares) {
      if ((counts.get(lane.webhookId) ?? 0) < count) this.#lanes.remove(lane);
    }
  }
}
