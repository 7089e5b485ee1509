-- Processes keep in memory which webhooks get an event, and ask with each publish whether that still holds: whether the
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
