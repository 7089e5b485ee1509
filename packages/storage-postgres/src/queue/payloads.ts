import type { Database, Statement } from '../client/database.js';
import { few } from '../client/given-rows.js';
import type { Answer } from '../client/queryable.js';

type Rows = Answer['rows'];

/** Payloads up to this size come with each claimed delivery. Larger ones are read once per event. */
export const inlineBytes = 8 * 1_024;
/** A claim ends with the delivery with which the payloads of its events reach this size. */
const maxClaimBytes = 8 * 1_024 * 1_024;

/** Divides the taken rows, by their `bytes`, into those that a claim may have and those to be released. */
export function withinBytes(rows: Rows): { readonly kept: Rows; readonly left: Rows } {
  const kept: Rows[number][] = [];
  const left: Rows[number][] = [];
  const events = new Set<string>();
  let bytes = 0;
  for (const row of rows) {
    const isNew = !events.has(row.event_id);
    if (isNew && bytes >= maxClaimBytes) {
      left.push(row);
      continue;
    }
    if (isNew) bytes += Number(row.bytes ?? 0);
    events.add(row.event_id);
    kept.push(row);
  }
  return { kept, left };
}

/** Reads the payloads that did not come with their rows, each once, and sets them. */
export class Payloads {
  readonly #db: Database;
  readonly #select: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#select = db.statement(`
      select g.id, e.payload from json_to_recordset($1::json) as g(id text)
      cross join lateral (select payload from $.events where id = g.id offset 0) e
      where ${few('length(g.id)')}`);
  }

  async fill(rows: Rows): Promise<void> {
    const large = rows.filter(({ id, payload }) => id !== null && payload === null);
    if (large.length === 0) return;
    const ids = [...new Set(large.map(({ id }) => id))];
    const read = await this.#db.run(this.#select, [JSON.stringify(ids.map((id) => ({ id })))]);
    const payloads = new Map(read.map(({ id, payload }) => [id, payload]));
    for (const row of large) row.payload = payloads.get(row.id);
  }
}
