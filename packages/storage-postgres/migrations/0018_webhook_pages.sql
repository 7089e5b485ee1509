-- Made by an earlier form of 0015_webhook_versions.sql it lacks this: where all tables are published to subscribers, as for
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
