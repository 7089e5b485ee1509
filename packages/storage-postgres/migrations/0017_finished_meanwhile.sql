-- Ends a statement, and all that it has written, where a delivery that it has just put into the queue is finished by now:
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
