-- Chains are asked for two things: the first that those behind it wait for, and the first that is held. An index of all
-- of a chain has to step over every one that yields, of which there may be thousands where a receiver was down.

create index queue_heads on :"schema".queue (binding_id, ordering_key, position)
  where ordering_key is not null and not yields;
create index queue_held on :"schema".queue (binding_id, ordering_key, position)
  where ordering_key is not null and is_held;

-- A table that was empty for a while is planned for as if it stayed so, once its file has been cut off; and to cut it
-- off keeps everybody out.

alter table :"schema".queue set (vacuum_truncate = false);
alter table :"schema".idempotency_keys set (vacuum_truncate = false);
