-- A look-up by a key must be the cheapest plan whatever Postgres believes of a table: connections keep their plans while
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
