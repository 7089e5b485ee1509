-- Ends a statement, and all that it has written, where a delivery that it has just put into the queue is finished by now:
-- another had made the same after the statement had looked, and it has left the queue since, so that no key was in the way.
-- The statement sees what was there when it began; a volatile function sees what is there when it is called.

create function :"schema".refuse_finished(event_ids text[], binding_ids text[]) returns integer
  language plpgsql volatile as $$
begin
  if (
    select true from unnest(event_ids, binding_ids) as m(event_id, binding_id) cross join lateral (
      select from :"schema".deliveries d where d.event_id = m.event_id and d.binding_id = m.binding_id offset 0
    ) d limit 1
  ) then
    raise exception 'what was missing has been delivered meanwhile' using errcode = 'serialization_failure';
  end if;
  return 0;
end
$$;
