import { PosthornError } from '@posthorn/core';
import { firstEventId, parseOptions } from '@posthorn/core/storage';
import type { Database } from '../client/database.js';

/** The length of time that one partition holds. */
export type Period = 'day' | 'week' | 'month';

/** Options of partitioning. */
export interface PartitionOptions {
  /** The length of a partition, in UTC. Weeks begin on Monday. */
  readonly every: Period;
  /** How many are created ahead of the present one: 0 to 100. Default 3. */
  readonly ahead?: number;
  /**
   * Drops partitions that ended this many milliseconds ago, where nothing in them is unfinished. Default: drops none.
   */
  readonly olderThanMs?: number;
}

/** The partitions that a call created and dropped, by their names without the table's: `p20261123_20261130`. */
export interface PartitionChanges {
  readonly added: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * The partitioned tables, and the column with the event's id: a range of ids is a range of time. Last come the columns
 * of a row that is deleted at once and leaves its pages behind (0011_pages.sql), and their values, except for the id.
 */
const tables = [
  [
    'events',
    'id',
    'tenant_id, type, occurred_at, published_at, deliveries, payload',
    "'', '', now(), now(), 0",
  ],
  [
    'deliveries',
    'event_id',
    'binding_id, webhook_id, channel, status, finished_at, attempts, attempts_before, response',
    "'', '', '', 'delivered', now(), 0, 0",
  ],
  [
    'attempts',
    'event_id',
    'binding_id, id, outcome, started_at, number, duration_ms, response',
    "'', '', '', now(), 0, 0",
  ],
] as const;

const dayMs = 86_400_000;

interface Range {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Creates the partitions of the present and the future, and drops old ones: files are removed instead of rows deleted.
 * A range in which the default partition has rows is left to it, and to retention. Locks the tables briefly, and gives
 * up rather than let other statements wait for two seconds.
 */
export function partitioner(
  db: Database,
  schema: string,
): (options: PartitionOptions) => Promise<PartitionChanges> {
  const clock = db.statement('select (extract(epoch from $now) * 1000)::bigint::text as now');
  const names = db.statement(`
    select substr(c.relname, 8) as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = '"${schema}".events'::regclass and c.relname ~ '^events_p[0-9]{8}_[0-9]{8}$'
    order by c.relname`);

  const existing = async (): Promise<string[]> => (await db.run(names, [])).map(({ name }) => name);
  const run = (text: string) => db.run(db.statement(text, { isRepeatable: false, isUnbounded: true }), []);

  return async (options) => {
    const { every, ahead, olderThanMs } = settingsOf(options);
    const [row] = await db.run(clock, []);
    const now = Number(row!.now);
    const before = await existing();

    const from = Math.max(startOf(every, now), ...before.map(endOf));
    for (const range of rangesOf(every, now, ahead, from)) await run(addText(schema, range));
    const between = await existing();
    if (olderThanMs !== undefined) {
      for (const name of between) {
        if (endOf(name) <= now - olderThanMs) await run(dropText(schema, rangeOf(name)));
      }
    }
    const after = await existing();
    return {
      added: between.filter((name) => !before.includes(name)),
      dropped: between.filter((name) => !after.includes(name)),
    };
  };
}

function settingsOf(options: PartitionOptions): Required<Omit<PartitionOptions, 'olderThanMs'>> & {
  readonly olderThanMs: number | undefined;
} {
  const known = ['every', 'ahead', 'olderThanMs'] as const;
  const { every, ahead = 3, olderThanMs } = parseOptions(options, known, 'partition');
  if (!every || !['day', 'week', 'month'].includes(every))
    throw invalid("every must be 'day', 'week' or 'month'");
  if (!Number.isInteger(ahead) || ahead < 0 || ahead > 100)
    throw invalid('ahead must be an integer from 0 to 100');
  if (olderThanMs !== undefined && !(olderThanMs >= 0)) {
    throw invalid('olderThanMs must be a number of milliseconds, 0 or more');
  }
  return { every, ahead, olderThanMs };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);

/**
 * Returns the present range and those after it, without the part before `from`, where there are ranges already, maybe
 * of another length.
 */
function rangesOf(every: Period, now: number, ahead: number, from: number): Range[] {
  const ranges: Range[] = [];
  let start = startOf(every, now);
  for (let i = 0; i <= ahead; i++) {
    const end = nextStart(every, start);
    if (end > from) ranges.push(rangeOf(`p${dayText(Math.max(start, from))}_${dayText(end)}`));
    start = end;
  }
  return ranges;
}

function startOf(every: Period, ms: number): number {
  const day = Math.floor(ms / dayMs) * dayMs;
  const date = new Date(day);
  if (every === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  return every === 'week' ? day - ((date.getUTCDay() + 6) % 7) * dayMs : day;
}

function nextStart(every: Period, start: number): number {
  const date = new Date(start);
  if (every === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  return start + (every === 'week' ? 7 : 1) * dayMs;
}

const dayText = (ms: number): string => new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');

const dayOf = (text: string): number =>
  Date.UTC(Number(text.slice(0, 4)), Number(text.slice(4, 6)) - 1, Number(text.slice(6)));

const endOf = (name: string): number => dayOf(name.slice(10));

const rangeOf = (name: string): Range => ({
  name,
  from: firstEventId(dayOf(name.slice(1, 9))),
  to: firstEventId(endOf(name)),
});

const begin = (schema: string): string => `
  perform set_config('lock_timeout', '2s', true);
  perform pg_advisory_xact_lock(hashtextextended('posthorn ${schema}', 0));`;

function addText(schema: string, { name, from, to }: Range): string {
  const isFree = tables
    .map(
      ([table, id]) =>
        `not exists (select from $.${table}_default where ${id} >= '${from}' and ${id} < '${to}')`,
    )
    .join(' and ');
  return `do $do$ begin${begin(schema)}
  if to_regclass('"${schema}".events_${name}') is null and ${isFree} then
    ${tables
      .map(
        ([table, id, columns, values]) => `
    create table $.${table}_${name} (like $.${table} including defaults including constraints)
      with (autovacuum_analyze_threshold = 5000, vacuum_truncate = false);
    insert into $.${table}_${name} (${id}, ${columns})
      select '${from}' || n, ${values}, repeat('-', 1800) from generate_series(1, 200) n;
    -- While it has no key, no row could be deleted from it where all tables are published for logical replication.
    alter table $.${table}_${name} replica identity full;
    delete from $.${table}_${name};
    alter table $.${table}_${name} replica identity default;
    -- From now on the default partition only shrinks.
    alter table $.${table}_default reset (vacuum_truncate);
    alter table $.${table} attach partition $.${table}_${name} for values from ('${from}') to ('${to}');`,
      )
      .join('')}
  end if;
end $do$`;
}

function dropText(schema: string, { name, from, to }: Range): string {
  return `do $do$ begin${begin(schema)}
  -- Locked, so that no delivery in them is retried during the check.
  lock table $.events, $.deliveries, $.attempts in access exclusive mode;
  if not exists (select from $.queue where event_id >= '${from}' and event_id < '${to}') then
    ${tables.map(([table]) => `drop table $.${table}_${name};`).join('\n    ')}
  end if;
end $do$`;
}
