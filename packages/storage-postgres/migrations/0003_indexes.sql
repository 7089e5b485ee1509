-- Chains are asked for two things: the first that those behind it wait for, and the first that is held. An index of all
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
