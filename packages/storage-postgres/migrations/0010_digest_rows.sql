-- A digest is a row of its own, which is no delivery: it is ready, due and leased, and has the memo, whichever deliveries
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
