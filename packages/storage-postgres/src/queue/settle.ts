import type { Claim, NextState, Settlement } from '@posthorn/core/storage';
import { arrayOf } from '../client/arrays.js';
import { type Database, type Statement, statementsOf } from '../client/database.js';
import { storable } from '../client/texts.js';
import { isDigest } from './digests.js';
import { leaseOf } from './leases.js';
import { advanceChains, type Chain, chainsOf } from './ordering.js';
import type { ReadyWebhook } from './ready-webhooks.js';
import { goesBack, isHeld, plainColumns, plainText, type SettleShape, settleText } from './settle-texts.js';

const bindingOf = (deliveryId: string): string => `ch_${deliveryId.slice(-10)}`;
/** The event of the delivery, or its digest, by its name in the queue. */
const eventOfDelivery = (deliveryId: string): string =>
  isDigest(deliveryId) ? deliveryId.slice(0, -10) : `evt_${deliveryId.slice(4, -10)}`;

export class Settler {
  readonly #db: Database;
  readonly #statement: (shape: SettleShape) => Statement;
  readonly #plain: Statement;
  readonly #renew: Statement;
  readonly #recorded: Statement;

  readonly #onWaiting: (lanes: Iterable<ReadyWebhook>) => void;

  /** `onWaiting` is called with the lanes into which results have let other deliveries. */
  constructor(db: Database, onWaiting: (lanes: Iterable<ReadyWebhook>) => void) {
    this.#db = db;
    this.#onWaiting = onWaiting;
    this.#statement = statementsOf(db, settleText);
    this.#plain = db.statement(plainText);
    this.#renew = db.statement(`
      with renewed as (
        update $.queue q set due_at = $now + $2::float8 * interval '1 millisecond', is_ready = false
        from json_to_recordset($1::json) as g(n integer, event text, binding text, lease bigint) where ${isHeld}
        returning g.n
      )
      select coalesce(json_agg(n), '[]')::text as written from renewed`);
    this.#recorded = db.statement(`
      select g.n from json_to_recordset($1::json) as g(n integer, event text, binding text, id text)
      where (select true from $.deliveries d
          where d.event_id = g.event and d.binding_id = g.binding and d.attempt_id = g.id limit 1)
        or (select true from $.attempts a
          where a.event_id = g.event and a.binding_id = g.binding and a.id = g.id limit 1)`);
  }

  async renew(claims: readonly Claim[], leaseMs: number): Promise<readonly Claim[]> {
    const renewed = await this.#write(this.#renew, leasedRows(claims), leaseMs);
    return renewed.sort((a, b) => a - b).map((n) => claims[n]!);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    const results = settlements.map(() => false);
    const seen = new Set<string>();
    const given = settlements.flatMap((settlement, n) => {
      const { claim } = settlement;
      const lease = leaseOf(claim);
      if (lease === undefined || seen.has(claim.token)) return [];
      seen.add(claim.token);
      return [rowOf(settlement, n, lease)];
    });
    if (given.length > 0) {
      const written = given.every(isPlain)
        ? await this.#endPlainly(given)
        : await this.#write(this.#statement(shapeOf(given)), given);
      for (const n of written) results[n] = true;
    }
    await this.#findRecorded(given, settlements, results);
    const chains = chainsOf(settlements.flatMap((one, n) => (results[n] ? chainOf(one) : [])));
    this.#onWaiting(await advanceChains(this.#db, chains));
    return results;
  }

  /** Writes that deliveries were delivered, which most are. Returns the numbers of those whose lease was valid. */
  async #endPlainly(rows: readonly SettledRow[]): Promise<number[]> {
    const sorted = [...rows].sort(byKey);
    const values = plainColumns.map((column) => arrayOf(sorted.map((row) => row[column])));
    const [row] = await this.#db.run(this.#plain, values);
    // The rows are identified by their places.
    const places: number[] | null = JSON.parse(row!.written);
    return places ? places.map((place) => sorted[place - 1]!.n) : sorted.map(({ n }) => n);
  }

  /** Returns the numbers of the rows whose lease was valid. */
  async #write(statement: Statement, rows: readonly GivenRow[], ...values: unknown[]): Promise<number[]> {
    if (rows.length === 0) return [];
    const [row] = await this.#db.run(statement, [JSON.stringify([...rows].sort(byKey)), ...values]);
    return JSON.parse(row!.written);
  }

  /** Finds what an earlier try wrote, whose answer was lost: its attempt is recorded. */
  async #findRecorded(
    given: readonly SettledRow[],
    settlements: readonly Settlement[],
    results: boolean[],
  ): Promise<void> {
    const open = given.filter(({ n, id }) => !results[n] && id !== undefined);
    if (open.length === 0) return;
    const asked = open.flatMap(({ n, binding, id }) => {
      const { event, digest = [event] } = settlements[n]!.claim;
      return digest.map(({ id: eventId }) => ({ n, event: eventId, binding, id }));
    });
    for (const { n } of await this.#db.run(this.#recorded, [JSON.stringify(asked)]))
      results[Number(n)] = true;
  }
}

/** A claim as it is sent to Postgres, by its number. */
export interface LeasedRow extends GivenRow {
  readonly n: number;
}

/** Returns the valid claims, in the order of their keys. */
export function leasedRows(claims: readonly Claim[]): LeasedRow[] {
  const rows = claims.flatMap((claim, n) => {
    const lease = leaseOf(claim);
    return lease === undefined ? [] : [{ n, ...placeOf(claim), lease }];
  });
  return rows.sort(byKey);
}

const chainOf = ({ claim: { event, deliveryId } }: Settlement): Chain[] =>
  event.orderingKey === null ? [] : [{ bindingId: bindingOf(deliveryId), orderingKey: event.orderingKey }];

/** A row that is found by its key, while its lease is valid. */
interface GivenRow {
  readonly event: string;
  readonly binding: string;
  readonly lease: number;
}

type SettledRow = ReturnType<typeof rowOf>;

function shapeOf(rows: readonly SettledRow[]): SettleShape {
  const putsBack = rows.filter(({ status }) => goesBack.includes(status)).length;
  return {
    ends: putsBack < rows.length,
    putsBack: putsBack > 0,
    hasFollowers: rows.some(({ event, begin }) => isDigest(event) || begin !== undefined),
    splits: rows.some(({ event, status }) => isDigest(event) && status === 'split'),
  };
}

/** Whether the result is delivered, records only the answer, and begins nothing. */
const isPlain = (row: SettledRow): boolean =>
  row.status === 'delivered' &&
  row.outcome === 'delivered' &&
  row.begin === undefined &&
  row.kind === undefined &&
  row.message === undefined &&
  !isDigest(row.event);

function byKey(a: GivenRow, b: GivenRow): number {
  if (a.event !== b.event) return a.event < b.event ? -1 : 1;
  return a.binding < b.binding ? -1 : Number(a.binding > b.binding);
}

const placeOf = ({ deliveryId }: Pick<Claim, 'deliveryId'>): { event: string; binding: string } => ({
  event: eventOfDelivery(deliveryId),
  binding: bindingOf(deliveryId),
});

/** Whether the result begins a deferral, unless there was one before, or keeps it. */
function putOffBy(next: NextState): 'begins' | 'stays' | undefined {
  if (next.status === 'released') return next.delayMs ? 'begins' : 'stays';
  return next.status === 'pending' && next.isRateLimited ? 'stays' : undefined;
}

function rowOf({ claim, next, attempt, escalateTo }: Settlement, n: number, lease: number) {
  const { status } = next;
  return {
    n,
    ...placeOf(claim),
    lease,
    status,
    delay: 'delayMs' in next ? (next.delayMs ?? 0) : 0,
    yields: status === 'pending' && next.unblocksOrder === true,
    uncounted: status === 'pending' && next.isUncounted ? 1 : undefined,
    put_off: putOffBy(next),
    id: attempt?.id,
    number: attempt?.number,
    at: attempt?.startedAt.getTime(),
    took: attempt?.durationMs,
    outcome: attempt?.outcome,
    kind: attempt?.kind ?? undefined,
    message: attempt && (storable(attempt.message) ?? undefined),
    http: attempt?.status ?? undefined,
    response: attempt && (storable(attempt.response) ?? undefined),
    memo: 'checkpoint' in next ? (storable(next.checkpoint ?? null) ?? undefined) : undefined,
    begin: escalateTo && escalateTo.length > 0 ? escalateTo : undefined,
  };
}
