// Made by scripts/embed-migrations.mjs from the SQL files: edit those, never this, and never one that was published.

export interface Migration {
  readonly number: number;
  readonly name: string;
  /** Its SQL; `:"schema"` stands for the schema, as psql has it. */
  readonly text: string;
}

export const migrations: readonly Migration[] = [
  {
    number: 1,
    name: 'tables',
    text: String.raw`-- Webhooks, and which of them hold a pattern. "subscriptions" has rows of active webhooks only, so that publishing
-- costs what it matches, however many are paused.

create table :"schema".webhooks (
  id text collate "C" primary key,
  tenant_id text collate "C" not null,
  -- Newer ones have a higher one.
  position bigint generated always as identity,
  name text not null,
  event_types text[] not null,
  -- The channel bindings as JSON, kept as it was given; their ids and channels once more, for publishing.
  channels text not null,
  binding_ids text[] not null,
  binding_channels text[] not null,
  -- JSON: [{ "key": …, "expiresAt": milliseconds since 1970 or null }]
  secrets text not null,
  is_active boolean not null,
  version integer not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create unique index webhooks_newest on :"schema".webhooks (tenant_id, position);

create table :"schema".subscriptions (
  tenant_id text collate "C" not null,
  pattern text collate "C" not null,
  webhook_id text collate "C" not null,
  primary key (tenant_id, pattern, webhook_id)
);

create index subscriptions_webhook on :"schema".subscriptions (webhook_id);

-- What happened. Rows are inserted, and deleted by retention; nothing is ever updated.
-- An event's id begins with its time, so a range of ids is a range of time: partitions are such ranges.

create table :"schema".events (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  type text collate "C" not null,
  payload text not null,
  occurred_at timestamptz not null,
  published_at timestamptz not null,
  -- How many deliveries it got when it was published.
  deliveries integer not null,
  namespace_id text,
  subject_type text,
  subject_id text,
  cache_scope text,
  ordering_key text,
  primary key (id)
) partition by range (id);

create table :"schema".events_default partition of :"schema".events default;

create index events_newest on :"schema".events (tenant_id, id);

-- The deliveries that are not finished, and nothing else: small and hot. A row is inserted when its event is published
-- and deleted when its delivery is finished.
-- It is ready, and then stands in its webhook's lane, or due_at is the instant when it wants a look: when its retry
-- is due, or its lease is over, or when to see whether what it is held behind is gone.

create table :"schema".queue (
  due_at timestamptz not null,
  -- Whose it is while it is being sent: half of the token.
  lease bigint,
  -- Its place among those with its ordering key.
  position bigint,
  attempts integer not null,
  attempts_before integer not null,
  is_ready boolean not null,
  -- Held behind an earlier delivery with its ordering key.
  is_held boolean not null,
  -- Those behind it with its ordering key need not wait for it.
  yields boolean not null,
  event_id text collate "C" not null,
  binding_id text collate "C" not null,
  tenant_id text collate "C" not null,
  webhook_id text collate "C" not null,
  channel text not null,
  ordering_key text collate "C",
  primary key (event_id, binding_id)
) with (
  -- Its rows live for seconds: what is dead must go soon, or claiming would have to step over it.
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 10000,
  autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 50000,
  autovacuum_vacuum_cost_delay = 0
);

create sequence :"schema".queue_position cache 32;

create index queue_lanes on :"schema".queue (tenant_id, webhook_id, due_at) where is_ready;
create index queue_alarms on :"schema".queue (due_at) where not is_ready;
create index queue_chains on :"schema".queue (binding_id, ordering_key, position) where ordering_key is not null;
-- Of those with one ordering key one at most is in flight, whatever two workers think at once.
create unique index queue_in_flight on :"schema".queue (binding_id, ordering_key)
  where ordering_key is not null and lease is not null;

-- Finished deliveries, each with its last attempt in the same row, which halves what a delivery writes.

create table :"schema".deliveries (
  finished_at timestamptz not null,
  started_at timestamptz,
  -- Its place among those with its ordering key, which it takes again where it is retried.
  position bigint,
  attempts integer not null,
  attempts_before integer not null,
  duration_ms integer,
  http_status smallint,
  event_id text collate "C" not null,
  binding_id text collate "C" not null,
  webhook_id text collate "C" not null,
  channel text not null,
  status text not null,
  attempt_id text,
  -- Null where it is the status: of most, which are delivered.
  outcome text,
  kind text,
  message text,
  response text,
  primary key (event_id, binding_id)
) partition by range (event_id);

create table :"schema".deliveries_default partition of :"schema".deliveries default;

-- The attempts before the last, append only.

create table :"schema".attempts (
  started_at timestamptz not null,
  number integer not null,
  duration_ms integer not null,
  http_status smallint,
  event_id text collate "C" not null,
  binding_id text collate "C" not null,
  id text collate "C" not null,
  outcome text not null,
  kind text,
  message text,
  response text,
  primary key (event_id, binding_id, id)
) partition by range (event_id);

create table :"schema".attempts_default partition of :"schema".attempts default;

create table :"schema".idempotency_keys (
  tenant_id text collate "C" not null,
  key text collate "C" not null,
  fingerprint text not null,
  event_id text not null,
  deliveries integer not null,
  remembered_at timestamptz not null,
  primary key (tenant_id, key)
);

create index idempotency_keys_oldest on :"schema".idempotency_keys (remembered_at);

-- Ends a statement, and all that it has written, with an error that the storage knows.

create function :"schema".refuse() returns integer language plpgsql as $$
begin
  raise exception 'an idempotency key was taken meanwhile' using errcode = 'PH001';
end
$$;
`,
  },
  {
    number: 2,
    name: 'order',
    text: String.raw`-- A connection that kept numbers for itself would give them out late: what is published later must have a higher one,
-- whatever connection it goes over.

alter sequence :"schema".queue_position cache 1;
`,
  },
  {
    number: 3,
    name: 'indexes',
    text: String.raw`-- Chains are asked for two things: the first that those behind it wait for, and the first that is held. An index of all
-- of a chain has to step over every one that yields, of which there may be thousands where a receiver was down.

create index queue_heads on :"schema".queue (binding_id, ordering_key, position)
  where ordering_key is not null and not yields;
create index queue_held on :"schema".queue (binding_id, ordering_key, position)
  where ordering_key is not null and is_held;

-- A statement is planned once a connection. Planned for a table of a page or two it reads all of it for each row that it
-- looks for, until the table has grown for a minute and is analyzed again. So a table that is empty for a while keeps
-- its file, whose cutting off would also keep everybody out, and none is analyzed before there is something to learn.

alter table :"schema".queue set (vacuum_truncate = false);
alter table :"schema".idempotency_keys set (vacuum_truncate = false, autovacuum_analyze_threshold = 5000);
alter table :"schema".events_default set (autovacuum_analyze_threshold = 5000);
alter table :"schema".deliveries_default set (autovacuum_analyze_threshold = 5000);
alter table :"schema".attempts_default set (autovacuum_analyze_threshold = 5000);
`,
  },
  {
    number: 4,
    name: 'digests',
    text: String.raw`-- What an attempt left for the next one.

alter table :"schema".queue add column memo text;

-- A delivery of a digest is gathering while digest_id is empty; from then on it is the event id of the digest's first,
-- which alone is ready, due and claimed, and stands for the others. Those have no alarm: their due_at is infinity.

alter table :"schema".queue add column digest_id text collate "C";
-- When the window of a delivery that gathers is over; of one that is in a digest, when that is due.
alter table :"schema".queue add column gathers_until timestamptz;

create index queue_ripening on :"schema".queue (gathers_until) where digest_id = '';
create index queue_digests on :"schema".queue (binding_id, digest_id, position) where digest_id is not null;

-- How long each of "binding_ids" gathers, in milliseconds; null for those that do not. Bindings that wait for another
-- to fail are in none of the three.

alter table :"schema".webhooks add column binding_windows float8[];
`,
  },
  {
    number: 5,
    name: 'look_ups',
    text: String.raw`-- Webhooks by their name, the newest first.

create index webhooks_named on :"schema".webhooks (tenant_id, name, position);

-- One webhook's deliveries among those of thousands, and the few that were not delivered among those that were: without
-- these a page of either reads all there is.

create index deliveries_of_webhook on :"schema".deliveries (webhook_id, event_id);
create index deliveries_undelivered on :"schema".deliveries (event_id, binding_id) where status <> 'delivered';
`,
  },
  {
    number: 6,
    name: 'api_keys',
    text: String.raw`-- Keys to the management API: of each, what its tenant may see and its hash, never the key itself.

create table :"schema".api_keys (
  id text collate "C" primary key,
  tenant_id text collate "C" not null,
  -- Newer ones have a higher one.
  position bigint generated always as identity,
  name text not null,
  mode text not null,
  scopes text[] not null,
  -- The SHA-256 of the key, base64url.
  hash text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  -- In no index, so that a use of the key touches none.
  last_used_at timestamptz,
  revoked_at timestamptz
);

create unique index api_keys_newest on :"schema".api_keys (tenant_id, position);
`,
  },
  {
    number: 7,
    name: 'replays',
    text: String.raw`-- Replays: one starts many deliveries again, step by step. Few, and small.

create table :"schema".replays (
  -- While it is running: when its next step is due or, with a lease, when that is over.
  due_at timestamptz not null,
  -- Whose step it is: half of the token.
  lease bigint,
  replayed bigint not null,
  skipped bigint not null,
  per_second integer not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  id text collate "C" primary key,
  tenant_id text collate "C" not null,
  status text not null,
  -- JSON, as it was given.
  selection text not null,
  -- Where the next step goes on in the deliveries.
  "cursor" text
);

create index replays_due on :"schema".replays (due_at) where status = 'running';
create index replays_finished on :"schema".replays (finished_at) where finished_at is not null;
`,
  },
  {
    number: 8,
    name: 'disabled_reason',
    text: String.raw`-- Why the engine itself paused the webhook; null where it is active, or paused by the application.

alter table :"schema".webhooks add column disabled_reason text;
`,
  },
  {
    number: 9,
    name: 'memo',
    text: String.raw`-- What the attempts of a delivery left for the next one, also when it has ended without being delivered: who asks for a
-- retry then reaches those that it has not reached.

alter table :"schema".deliveries add column memo text;
`,
  },
  {
    number: 10,
    name: 'digest_rows',
    text: String.raw`-- A digest is a row of its own, which is no delivery: it is ready, due and leased, and has the memo, whichever deliveries
-- leave it. Its event_id is that of the event it was formed with first, as dig_ and not evt_. Its deliveries have that in
-- digest_id, and never are ready or due.

insert into :"schema".queue (event_id, binding_id, tenant_id, webhook_id, channel, due_at, attempts, attempts_before,
    is_ready, is_held, yields, memo)
  select 'dig_' || substr(event_id, 5), binding_id, tenant_id, webhook_id, channel, due_at, attempts, attempts_before,
    is_ready, false, false, memo
  from :"schema".queue where digest_id = event_id;
update :"schema".queue set digest_id = 'dig_' || substr(digest_id, 5), memo = null, is_ready = false,
    gathers_until = coalesce(gathers_until, due_at), due_at = 'infinity', lease = null
  where digest_id <> '';

-- When somebody has to look whether what gathers for a binding is to go: at once where there is one more, at the end of
-- the window, and now and then while the webhook is paused.

alter table :"schema".queue add column look_at timestamptz;
update :"schema".queue set look_at = gathers_until where digest_id = '';
drop index :"schema".queue_ripening;
create index queue_ripening on :"schema".queue (look_at) where digest_id = '';
`,
  },
  {
    number: 11,
    name: 'pages',
    text: String.raw`-- A look-up by a key must be the cheapest plan whatever Postgres believes of a table: connections keep their plans while
-- it grows. Where a file has a page or two, to read all of it is cheaper. So every large table has some pages from the
-- beginning, and vacuum does not take them: the rows below make them and are gone at once. Where a few rows were counted
-- in large files, each seems to take its part of the index, in pages that are read at random. So the queue's rows have
-- twice the room that they need, which makes to read all of it dearer than that; and its updates stay on their pages.

alter table :"schema".queue set (fillfactor = 50);
alter table :"schema".events_default set (vacuum_truncate = false);
alter table :"schema".deliveries_default set (vacuum_truncate = false);
alter table :"schema".attempts_default set (vacuum_truncate = false);

insert into :"schema".queue (due_at, attempts, attempts_before, is_ready, is_held, yields, event_id, binding_id, tenant_id,
    webhook_id, channel, memo)
  select 'infinity', 0, 0, false, false, false, n::text, '', '', '', '', repeat('-', 1800) from generate_series(1, 200) n;
delete from :"schema".queue where tenant_id = '';

insert into :"schema".events_default (id, tenant_id, type, payload, occurred_at, published_at, deliveries)
  select n::text, '', '', repeat('-', 1800), now(), now(), 0 from generate_series(1, 200) n;
delete from :"schema".events_default where tenant_id = '';

insert into :"schema".deliveries_default (finished_at, attempts, attempts_before, event_id, binding_id, webhook_id, channel,
    status, response)
  select now(), 0, 0, n::text, '', '', '', 'delivered', repeat('-', 1800) from generate_series(1, 200) n;
delete from :"schema".deliveries_default where binding_id = '';

insert into :"schema".attempts_default (started_at, number, duration_ms, event_id, binding_id, id, outcome, response)
  select now(), 0, 0, n::text, '', '', '', repeat('-', 1800) from generate_series(1, 200) n;
delete from :"schema".attempts_default where binding_id = '';

insert into :"schema".idempotency_keys (tenant_id, key, fingerprint, event_id, deliveries, remembered_at)
  select '', n::text, repeat('-', 1800), '', 0, now() from generate_series(1, 200) n;
delete from :"schema".idempotency_keys where tenant_id = '';
`,
  },
  {
    number: 12,
    name: 'digest_sizes',
    text: String.raw`-- How large the payload of a delivery that gathers is: a digest has as many as fit.

alter table :"schema".queue add column gathered_bytes integer;
update :"schema".queue q set gathered_bytes = octet_length(e.payload) from :"schema".events e
  where q.digest_id = '' and e.id = q.event_id;

-- Numbers digests over what gathers for a binding, in its order: each has as many as most and max_bytes allow, and at
-- least one. The state is the number of the digest, how many it has, and their bytes.

create function :"schema".digest_step(state bigint[], bytes bigint, most bigint, max_bytes bigint) returns bigint[]
  language sql immutable as $$
  select case
    when state is null then array[0, 1, bytes]
    when state[2] >= most or state[3] + bytes > max_bytes then array[state[1] + 1, 1, bytes]
    else array[state[1], state[2] + 1, state[3] + bytes]
  end
$$;
create aggregate :"schema".digest_of(bytes bigint, most bigint, max_bytes bigint) (
  sfunc = :"schema".digest_step,
  stype = bigint[]
);
`,
  },
  {
    number: 13,
    name: 'attempts',
    text: String.raw`-- An attempt counts from when it begins, and not from when it is claimed. begun_at is when that was under the lease of
-- now, lost_at under one before, whose worker was lost before it wrote how it went. No index holds them: to begin is an
-- update that stays on its page.

alter table :"schema".queue add column begun_at timestamptz, add column lost_at timestamptz;
`,
  },
  {
    number: 14,
    name: 'damage',
    text: String.raw`-- The array that a text holds as JSON; null where it holds none: a row that somebody has damaged must not fail what is done
-- for others in the same statement.

create function :"schema".json_array_in(value text) returns json
  language plpgsql immutable as $$
declare
  held json;
begin
  held := value;
  return case when json_typeof(held) = 'array' then held end;
exception when others then
  return null;
end
$$;
`,
  },
  {
    number: 15,
    name: 'webhook_versions',
    text: String.raw`-- Processes keep in memory which webhooks get an event, and ask with each publish whether that still holds: whether the
-- versions of its tenant come to the same sum. Every write of a webhook adds to it, in its own transaction: so whoever
-- sees one sees the other. Triggers see to it, as the versions of the library before this one know nothing of it, nor
-- does who writes by hand. What is added is random and more than nothing: no two states of a tenant have the same sum,
-- not even those before and after a restore or a failover that lost some.

create table :"schema".webhook_versions (
  tenant_id text collate "C" not null,
  version numeric not null
);

-- It has no key. Without this, nothing could be deleted from it where all tables are published to subscribers.
alter table :"schema".webhook_versions replica identity full;

create index webhook_versions_tenant on :"schema".webhook_versions (tenant_id);

-- As in 0011_pages.sql: a look-up by the tenant is the cheapest plan whatever Postgres believes of the table.

alter table :"schema".webhook_versions set (vacuum_truncate = false);
insert into :"schema".webhook_versions select '', repeat('9', 3600)::numeric from generate_series(1, 200);
delete from :"schema".webhook_versions;

-- A row per tenant would make transactions that write webhooks of one tenant wait for each other. So each adds a row of its
-- own, and takes into it those that nobody else is taking: the sum stays. Under a snapshot of before it cannot take what
-- others have written since, and only adds. It acts as the owner of the tables: the right to write webhooks is enough.

create function :"schema".webhooks_changed() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenants text[];
begin
  if tg_op = 'TRUNCATE' then
    tenants := array(select distinct tenant_id from :"schema".webhook_versions);
  elsif tg_op = 'UPDATE' then
    tenants := array(select tenant_id from changed union select tenant_id from unchanged);
  else
    tenants := array(select distinct tenant_id from changed);
  end if;
  if tenants = '{}' then
    return null;
  end if;
  begin
    with folded as (
      delete from :"schema".webhook_versions where ctid = any (array(
        select ctid from :"schema".webhook_versions where tenant_id = any (tenants) for update skip locked))
      returning tenant_id, version
    )
    insert into :"schema".webhook_versions (tenant_id, version)
      select t.id, 1 + (random() * 2 ^ 50)::bigint
        + coalesce((select sum(f.version) from folded f where f.tenant_id = t.id), 0)
      from unnest(tenants) as t(id);
  exception when serialization_failure then
    insert into :"schema".webhook_versions (tenant_id, version)
      select t.id, 1 + (random() * 2 ^ 50)::bigint from unnest(tenants) as t(id);
  end;
  return null;
end
$$;

create trigger webhooks_inserted after insert on :"schema".webhooks
  referencing new table as changed for each statement execute function :"schema".webhooks_changed();
create trigger webhooks_updated after update on :"schema".webhooks
  referencing new table as changed old table as unchanged for each statement
  execute function :"schema".webhooks_changed();
create trigger webhooks_deleted after delete on :"schema".webhooks
  referencing old table as changed for each statement execute function :"schema".webhooks_changed();
create trigger webhooks_truncated after truncate on :"schema".webhooks
  for each statement execute function :"schema".webhooks_changed();

create trigger subscriptions_inserted after insert on :"schema".subscriptions
  referencing new table as changed for each statement execute function :"schema".webhooks_changed();
create trigger subscriptions_updated after update on :"schema".subscriptions
  referencing new table as changed old table as unchanged for each statement
  execute function :"schema".webhooks_changed();
create trigger subscriptions_deleted after delete on :"schema".subscriptions
  referencing old table as changed for each statement execute function :"schema".webhooks_changed();
create trigger subscriptions_truncated after truncate on :"schema".subscriptions
  for each statement execute function :"schema".webhooks_changed();

-- Also in sessions that play the part of a replica, as tools do that load many rows.

alter table :"schema".webhooks enable always trigger webhooks_inserted, enable always trigger webhooks_updated,
  enable always trigger webhooks_deleted, enable always trigger webhooks_truncated;
alter table :"schema".subscriptions enable always trigger subscriptions_inserted,
  enable always trigger subscriptions_updated, enable always trigger subscriptions_deleted,
  enable always trigger subscriptions_truncated;

-- Whoever has webhooks has a version, so that no state with webhooks looks like the one without.

insert into :"schema".webhook_versions (tenant_id, version)
  select tenant_id, 1 + (random() * 2 ^ 50)::bigint from (select distinct tenant_id from :"schema".webhooks) t;
`,
  },
  {
    number: 16,
    name: 'put_off',
    text: String.raw`-- Since when a delivery is put off, as its receiver is busy: how long that may go on is not a matter of how old its event is.

alter table :"schema".queue add column put_off_since timestamptz;
`,
  },
  {
    number: 17,
    name: 'finished_meanwhile',
    text: String.raw`-- Ends a statement, and all that it has written, where a delivery that it has just put into the queue is finished by now:
-- another had made the same after the statement had looked, and it has left the queue since, so that no key was in the way.
-- The statement sees what was there when it began; a volatile function sees what is there when it is called. Where
-- transactions are repeatable, as a server, a role or a pool may have them by default, it sees no more than the statement
-- did. A key sees all that there is: what is there is found by inserting it, of which nothing stays.

create function :"schema".refuse_finished(event_ids text[], binding_ids text[]) returns integer
  language plpgsql volatile as $$
declare
  is_finished boolean := false;
begin
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    begin
      insert into :"schema".deliveries (finished_at, attempts, attempts_before, event_id, binding_id, webhook_id, channel, status)
        select now(), 0, 0, m.event_id, m.binding_id, '', '', ''
        from unnest(event_ids, binding_ids) as m(event_id, binding_id) order by m.event_id, m.binding_id;
      raise exception 'none is finished' using errcode = 'PH003';
    exception
      when sqlstate 'PH003' then null;
      when unique_violation then is_finished := true;
    end;
  else
    is_finished := exists (
      select from unnest(event_ids, binding_ids) as m(event_id, binding_id) cross join lateral (
        select from :"schema".deliveries d where d.event_id = m.event_id and d.binding_id = m.binding_id offset 0
      ) d limit 1
    );
  end if;
  if is_finished then
    raise exception 'what was missing has been delivered meanwhile' using errcode = 'serialization_failure';
  end if;
  return 0;
end
$$;
`,
  },
  {
    number: 18,
    name: 'webhook_pages',
    text: String.raw`-- Made by an earlier form of 0015_webhook_versions.sql it lacks this: where all tables are published to subscribers, as for
-- logical replication, nothing could be deleted from it, and so no webhook be written.

alter table :"schema".webhook_versions replica identity full;

-- As in 0011_pages.sql, for what is looked up by each claim: connections that planned their statements while there were few
-- webhooks would read all of them for each delivery, once there are thousands.

alter table :"schema".webhooks set (vacuum_truncate = false);
alter table :"schema".subscriptions set (vacuum_truncate = false);

-- With positions of their own: none that a webhook would have is used up.
insert into :"schema".webhooks (id, tenant_id, position, name, event_types, channels, binding_ids, binding_channels, secrets,
    is_active, version, created_at, updated_at) overriding system value
  select n::text, '', n, '', '{}', repeat('-', 1800), '{}', '{}', '', false, 0, now(), now() from generate_series(1, 200) n;
insert into :"schema".subscriptions (tenant_id, pattern, webhook_id)
  select '', n::text || repeat('-', 1800), '' from generate_series(1, 200) n;
delete from :"schema".subscriptions where tenant_id = '';
delete from :"schema".webhooks where tenant_id = '';
-- Of that tenant there is none.
delete from :"schema".webhook_versions where tenant_id = '';
`,
  },
  {
    number: 19,
    name: 'uncounted',
    text: String.raw`-- How many attempts since the last manual retry the schedule leaves out: those that may never have been sent, as they began
-- with their claim and their worker was lost. Null for none, which takes no room.

alter table :"schema".queue add column uncounted smallint;
`,
  },
  {
    number: 20,
    name: 'documents',
    text: String.raw`-- Documents: what the engine keeps beside webhooks and deliveries, an API key or a replay each. Few, and small. They take the
-- place of the tables api_keys and replays, which processes of the version before still read and write: whatever is written to
-- one of them is written to the other, until a later version drops the two. The next migration brings the rows that are there.

create table :"schema".documents (
  kind text collate "C" not null,
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  -- Newer ones have a higher one. The rows of api_keys and replays bring lower ones with them.
  position bigint generated always as identity (start with 1000000000000),
  -- One more with each write. Whoever writes names the one that it has read.
  version bigint not null,
  -- JSON, as it was given.
  body text not null,
  -- When it may be leased, or its lease is over; null where it never may.
  due_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (kind, id)
);

create unique index documents_newest on :"schema".documents (kind, tenant_id, position);
create index documents_due on :"schema".documents (kind, due_at) where due_at is not null;

-- The bodies that the engine knows, of rows as the version before writes them. What is damaged stays as it is.

create function :"schema".instant_text(value timestamptz) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((extract(epoch from value) * 1000)::bigint::text, 'null')
$$;

create function :"schema".api_key_body(k :"schema".api_keys) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select '{"name":' || to_json(k.name)::text || ',"mode":' || to_json(k.mode)::text || ',"scopes":' || to_json(k.scopes)::text
    || ',"hash":' || to_json(k.hash)::text || ',"expiresAt":' || :"schema".instant_text(k.expires_at)
    || ',"lastUsedAt":' || :"schema".instant_text(k.last_used_at)
    || ',"revokedAt":' || :"schema".instant_text(k.revoked_at) || '}'
$$;

create function :"schema".replay_body(r :"schema".replays) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select '{"selection":' || r.selection || ',"perSecond":' || r.per_second || ',"status":' || to_json(r.status)::text
    || ',"replayed":' || r.replayed || ',"skipped":' || r.skipped
    || ',"cursor":' || coalesce(to_json(r."cursor")::text, 'null') || '}'
$$;

-- What a process of the version before writes. Its row is locked before the document is.

create function :"schema".row_written() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  its_kind text := case tg_table_name when 'api_keys' then 'api-key' else 'replay' end;
  its_body text;
  due timestamptz;
  written timestamptz := now();
begin
  if tg_op = 'DELETE' then
    delete from :"schema".documents where kind = its_kind and id = old.id;
    return null;
  elsif its_kind = 'api-key' then
    its_body := :"schema".api_key_body(new);
  else
    its_body := :"schema".replay_body(new);
    due := case when new.status = 'running' then new.due_at end;
    written := coalesce(new.finished_at, written);
  end if;
  if tg_op = 'UPDATE' then
    update :"schema".documents d
      set version = d.version + 1, body = its_body, due_at = due, updated_at = written
      where d.kind = its_kind and d.id = new.id;
    if found then
      return null;
    end if;
  end if;
  -- A new row, or one that the next migration is bringing at this moment. The sequence may lie behind, as after a restore.
  insert into :"schema".documents as d (kind, id, tenant_id, position, version, body, due_at, created_at, updated_at)
    overriding system value
    values (its_kind, new.id, new.tenant_id,
      greatest(nextval(format('%I.documents_position_seq', tg_table_schema)::regclass), 1 + coalesce((
        select o.position from :"schema".documents o where o.kind = its_kind and o.tenant_id = new.tenant_id
        order by o.position desc limit 1), 0)), 1, its_body, due, new.created_at, written)
  on conflict (kind, id) do update
    set version = d.version + 1, body = its_body, due_at = due, updated_at = written;
  return null;
end
$$;

-- What a process of this version writes, with its document locked. Where one of the version before has the row at this
-- moment, each would wait for the other: this one gives way, and the storage writes once more.

create function :"schema".document_written() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held json;
begin
  if tg_op <> 'INSERT' then
    if old.kind = 'api-key' then
      perform from :"schema".api_keys where id = old.id for update skip locked;
    else
      perform from :"schema".replays where id = old.id for update skip locked;
    end if;
    if not found and (exists (select from :"schema".api_keys where id = old.id and old.kind = 'api-key')
        or exists (select from :"schema".replays where id = old.id and old.kind = 'replay')) then
      raise exception 'a process of the version before writes the same' using errcode = 'serialization_failure';
    end if;
  end if;
  if tg_op = 'DELETE' then
    if old.kind = 'api-key' then
      delete from :"schema".api_keys where id = old.id;
    else
      delete from :"schema".replays where id = old.id;
    end if;
    return null;
  end if;
  held := new.body;
  -- What is created has no row yet, but for what the next migration brings.
  if new.kind = 'api-key' then
    if tg_op = 'INSERT' then
      insert into :"schema".api_keys (id, tenant_id, position, name, mode, scopes, hash, created_at, expires_at)
        overriding system value
      values (new.id, new.tenant_id,
        greatest(nextval(format('%I.api_keys_position_seq', tg_table_schema)::regclass), 1 + coalesce((
          select k.position from :"schema".api_keys k where k.tenant_id = new.tenant_id
          order by k.position desc limit 1), 0)), held ->> 'name', held ->> 'mode',
        array(select json_array_elements_text(held -> 'scopes')), held ->> 'hash', new.created_at,
        to_timestamp((held ->> 'expiresAt')::float8 / 1000))
      on conflict (id) do nothing;
    else
      update :"schema".api_keys set last_used_at = to_timestamp((held ->> 'lastUsedAt')::float8 / 1000),
        revoked_at = to_timestamp((held ->> 'revokedAt')::float8 / 1000)
      where id = new.id;
    end if;
  elsif tg_op = 'INSERT' then
    insert into :"schema".replays (id, tenant_id, selection, per_second, status, replayed, skipped, created_at, due_at)
    values (new.id, new.tenant_id, held ->> 'selection', (held ->> 'perSecond')::integer, held ->> 'status',
      (held ->> 'replayed')::bigint, (held ->> 'skipped')::bigint, new.created_at, coalesce(new.due_at, new.created_at))
    on conflict (id) do nothing;
  else
    -- Without a lease no process of the version before holds a token of it.
    update :"schema".replays set lease = null, due_at = coalesce(new.due_at, due_at), status = held ->> 'status',
      replayed = (held ->> 'replayed')::bigint, skipped = (held ->> 'skipped')::bigint, "cursor" = held ->> 'cursor',
      finished_at = case when held ->> 'status' <> 'running' then new.updated_at end
    where id = new.id;
  end if;
  return null;
end
$$;

-- Each is called for what a statement writes, and not for what the other has written.

create trigger api_keys_written after insert or update or delete on :"schema".api_keys
  for each row when (pg_trigger_depth() = 0) execute function :"schema".row_written();
create trigger replays_written after insert or update or delete on :"schema".replays
  for each row when (pg_trigger_depth() = 0) execute function :"schema".row_written();
create trigger documents_created after insert on :"schema".documents
  for each row when (pg_trigger_depth() = 0 and new.kind in ('api-key', 'replay'))
  execute function :"schema".document_written();
create trigger documents_updated after update on :"schema".documents
  for each row when (pg_trigger_depth() = 0 and old.kind in ('api-key', 'replay'))
  execute function :"schema".document_written();
create trigger documents_deleted after delete on :"schema".documents
  for each row when (pg_trigger_depth() = 0 and old.kind in ('api-key', 'replay'))
  execute function :"schema".document_written();
`,
  },
  {
    number: 21,
    name: 'documents_of_rows',
    text: String.raw`-- The API keys and replays that were there before 0020_documents.sql. In a transaction of its own, which begins when those
-- triggers are there: where transactions are repeatable, one that has waited for a lock on the tables does not see what was
-- written meanwhile. What is written from now on has its document, which stays as it is: one that such a transaction does not
-- see fails the insert.

do $rows$
declare
  k :"schema".api_keys;
  r :"schema".replays;
  place bigint := 0;
begin
  for k in select * from :"schema".api_keys loop
    begin
      insert into :"schema".documents (kind, id, tenant_id, position, version, body, created_at, updated_at)
        overriding system value
      values ('api-key', k.id, k.tenant_id, k.position, 1, :"schema".api_key_body(k), k.created_at, k.created_at)
      on conflict (kind, id) do nothing;
    exception when serialization_failure then
      null;
    end;
  end loop;
  for r in select * from :"schema".replays order by created_at, id loop
    place := place + 1;
    begin
      insert into :"schema".documents (kind, id, tenant_id, position, version, body, due_at, created_at, updated_at)
        overriding system value
      values ('replay', r.id, r.tenant_id, place, 1, :"schema".replay_body(r),
        case when r.status = 'running' then r.due_at end, r.created_at, coalesce(r.finished_at, r.created_at))
      on conflict (kind, id) do nothing;
    exception when serialization_failure then
      null;
    end;
  end loop;
end
$rows$;
`,
  },
];
