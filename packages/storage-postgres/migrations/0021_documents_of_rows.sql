-- The API keys and replays that were there before 0020_documents.sql. In a transaction of its own, which begins when those
-- triggers are there: where transactions are repeatable, one that has waited for a lock on the tables does not see what was
-- written meanwhile. What is written from now on has its document, which stays as it is.

insert into :"schema".documents (kind, id, tenant_id, position, version, body, created_at, updated_at)
  overriding system value
  select 'api-key', k.id, k.tenant_id, k.position, 1, :"schema".api_key_body(k), k.created_at, k.created_at
  from :"schema".api_keys k
  on conflict (kind, id) do nothing;

insert into :"schema".documents (kind, id, tenant_id, position, version, body, due_at, created_at, updated_at)
  overriding system value
  select 'replay', r.id, r.tenant_id, row_number() over (order by r.created_at, r.id), 1, :"schema".replay_body(r),
    case when r.status = 'running' then r.due_at end, r.created_at, coalesce(r.finished_at, r.created_at)
  from :"schema".replays r
  on conflict (kind, id) do nothing;
