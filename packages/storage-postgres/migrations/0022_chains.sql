-- A chain, and a digest, must be found by the index that is made for it. Other indexes have the binding or the key second,
-- or cover the whole chain where a part of it is asked for: to read all of such an index looked as cheap as a look-up
-- while the queue counted as empty. So each of these has a name of its own for what it finds, which no other index has and
-- from which no condition of another follows. Two have the event's id, which orders rows with the same position.

drop index :"schema".queue_chains;
drop index :"schema".queue_heads;
drop index :"schema".queue_held;
drop index :"schema".queue_in_flight;
drop index :"schema".queue_digests;
drop index :"schema".queue_ripening;

create index queue_chains on :"schema".queue ((binding_id || ':a:' || ordering_key), position)
  where (binding_id || ':a:' || ordering_key) is not null;
create index queue_heads on :"schema".queue ((binding_id || ':h:' || ordering_key), position)
  where (binding_id || ':h:' || ordering_key) is not null and not yields;
create index queue_held on :"schema".queue ((binding_id || ':w:' || ordering_key), position, event_id)
  where (binding_id || ':w:' || ordering_key) is not null and is_held;
create unique index queue_in_flight on :"schema".queue ((binding_id || ':f:' || ordering_key))
  where (binding_id || ':f:' || ordering_key) is not null and lease is not null;
create index queue_digests on :"schema".queue ((binding_id || ':d:' || digest_id), position, event_id)
  where (binding_id || ':d:' || digest_id) is not null;
create index queue_ripening on :"schema".queue (look_at) where look_at is not null;

-- Where the queue is counted while it is empty, the part of an index that a look-up reads is thought to be all of it. So it
-- always has some rows, which no statement touches: they are never due, and have no tenant.

insert into :"schema".queue (due_at, position, attempts, attempts_before, is_ready, is_held, yields, event_id, binding_id,
    tenant_id, webhook_id, channel, ordering_key, digest_id, look_at)
  select 'infinity', n, 0, 0, false, true, false, 'counted_' || n, 'counted_' || n, '', '', '', 'counted_' || n,
    'counted_' || n, 'infinity' from generate_series(1, 100) n;
