-- The API keys and replays that were there before 0020_documents.sql. In a transaction of its own, which begins when those
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
