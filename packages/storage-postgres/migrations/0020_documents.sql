-- Documents: what the engine keeps beside webhooks and deliveries, an API key or a replay each. Few, and small. They take the
-- place of the tables api_keys and replays, which processes of the version before still read and write: whatever is written to
-- one of them is written to the other, until a later version drops the two. The next migration brings the rows that are there.

create table :"schema".documents (
  kind text collate "C" not null,
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  -- Newer ones have a higher one. The rows of api_keys and replays bring lower ones with them.
  position bigint generated always as identity (start with 1000000000000),
  -- One more with each write. Whoever writes names the one that it has read.
  version bigint not null,
  -- JSON, as it was given.
  body text not null,
  -- When it may be leased, or its lease is over; null where it never may.
  due_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (kind, id)
);

create unique index documents_newest on :"schema".documents (kind, tenant_id, position);
create index documents_due on :"schema".documents (kind, due_at) where due_at is not null;

-- The bodies that the engine knows, of rows as the version before writes them. What is damaged stays as it is.

create function :"schema".instant_text(value timestamptz) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((extract(epoch from value) * 1000)::bigint::text, 'null')
$$;

create function :"schema".api_key_body(k :"schema".api_keys) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select '{"name":' || to_json(k.name)::text || ',"mode":' || to_json(k.mode)::text || ',"scopes":' || to_json(k.scopes)::text
    || ',"hash":' || to_json(k.hash)::text || ',"expiresAt":' || :"schema".instant_text(k.expires_at)
    || ',"lastUsedAt":' || :"schema".instant_text(k.last_used_at)
    || ',"revokedAt":' || :"schema".instant_text(k.revoked_at) || '}'
$$;

create function :"schema".replay_body(r :"schema".replays) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select '{"selection":' || r.selection || ',"perSecond":' || r.per_second || ',"status":' || to_json(r.status)::text
    || ',"replayed":' || r.replayed || ',"skipped":' || r.skipped
    || ',"cursor":' || coalesce(to_json(r."cursor")::text, 'null') || '}'
$$;

-- What a process of the version before writes. Its row is locked before the document is.

create function :"schema".row_written() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  its_kind text := case tg_table_name when 'api_keys' then 'api-key' else 'replay' end;
  its_body text;
  due timestamptz;
  written timestamptz := now();
begin
  if tg_op = 'DELETE' then
    delete from :"schema".documents where kind = its_kind and id = old.id;
    return null;
  elsif its_kind = 'api-key' then
    its_body := :"schema".api_key_body(new);
  else
    its_body := :"schema".replay_body(new);
    due := case when new.status = 'running' then new.due_at end;
    written := coalesce(new.finished_at, written);
  end if;
  if tg_op = 'UPDATE' then
    update :"schema".documents d
      set version = d.version + 1, body = its_body, due_at = due, updated_at = written
      where d.kind = its_kind and d.id = new.id;
    if found then
      return null;
    end if;
  end if;
  -- A new row, or one that the next migration is bringing at this moment. The sequence may lie behind, as after a restore.
  insert into :"schema".documents as d (kind, id, tenant_id, position, version, body, due_at, created_at, updated_at)
    overriding system value
    values (its_kind, new.id, new.tenant_id,
      greatest(nextval(format('%I.documents_position_seq', tg_table_schema)::regclass), 1 + coalesce((
        select o.position from :"schema".documents o where o.kind = its_kind and o.tenant_id = new.tenant_id
        order by o.position desc limit 1), 0)), 1, its_body, due, new.created_at, written)
  on conflict (kind, id) do update
    set version = d.version + 1, body = its_body, due_at = due, updated_at = written;
  return null;
end
$$;

-- What a process of this version writes, with its document locked. Where one of the version before has the row at this
-- moment, each would wait for the other: this one gives way, and the storage writes once more.

create function :"schema".document_written() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held json;
begin
  if tg_op <> 'INSERT' then
    if old.kind = 'api-key' then
      perform from :"schema".api_keys where id = old.id for update skip locked;
    else
      perform from :"schema".replays where id = old.id for update skip locked;
    end if;
    if not found and (exists (select from :"schema".api_keys where id = old.id and old.kind = 'api-key')
        or exists (select from :"schema".replays where id = old.id and old.kind = 'replay')) then
      raise exception 'a process of the version before writes the same' using errcode = 'serialization_failure';
    end if;
  end if;
  if tg_op = 'DELETE' then
    if old.kind = 'api-key' then
      delete from :"schema".api_keys where id = old.id;
    else
      delete from :"schema".replays where id = old.id;
    end if;
    return null;
  end if;
  held := new.body;
  -- What is created has no row yet, but for what the next migration brings.
  if new.kind = 'api-key' then
    if tg_op = 'INSERT' then
      insert into :"schema".api_keys (id, tenant_id, position, name, mode, scopes, hash, created_at, expires_at)
        overriding system value
      values (new.id, new.tenant_id,
        greatest(nextval(format('%I.api_keys_position_seq', tg_table_schema)::regclass), 1 + coalesce((
          select k.position from :"schema".api_keys k where k.tenant_id = new.tenant_id
          order by k.position desc limit 1), 0)), held ->> 'name', held ->> 'mode',
        array(select json_array_elements_text(held -> 'scopes')), held ->> 'hash', new.created_at,
        to_timestamp((held ->> 'expiresAt')::float8 / 1000))
      on conflict (id) do nothing;
    else
      update :"schema".api_keys set last_used_at = to_timestamp((held ->> 'lastUsedAt')::float8 / 1000),
        revoked_at = to_timestamp((held ->> 'revokedAt')::float8 / 1000)
      where id = new.id;
    end if;
  elsif tg_op = 'INSERT' then
    insert into :"schema".replays (id, tenant_id, selection, per_second, status, replayed, skipped, created_at, due_at)
    values (new.id, new.tenant_id, held ->> 'selection', (held ->> 'perSecond')::integer, held ->> 'status',
      (held ->> 'replayed')::bigint, (held ->> 'skipped')::bigint, new.created_at, coalesce(new.due_at, new.created_at))
    on conflict (id) do nothing;
  else
    -- Without a lease no process of the version before holds a token of it.
    update :"schema".replays set lease = null, due_at = coalesce(new.due_at, due_at), status = held ->> 'status',
      replayed = (held ->> 'replayed')::bigint, skipped = (held ->> 'skipped')::bigint, "cursor" = held ->> 'cursor',
      finished_at = case when held ->> 'status' <> 'running' then new.updated_at end
    where id = new.id;
  end if;
  return null;
end
$$;

-- Each is called for what a statement writes, and not for what the other has written.

create trigger api_keys_written after insert or update or delete on :"schema".api_keys
  for each row when (pg_trigger_depth() = 0) execute function :"schema".row_written();
create trigger replays_written after insert or update or delete on :"schema".replays
  for each row when (pg_trigger_depth() = 0) execute function :"schema".row_written();
create trigger documents_created after insert on :"schema".documents
  for each row when (pg_trigger_depth() = 0 and new.kind in ('api-key', 'replay'))
  execute function :"schema".document_written();
create trigger documents_updated after update on :"schema".documents
  for each row when (pg_trigger_depth() = 0 and old.kind in ('api-key', 'replay'))
  execute function :"schema".document_written();
create trigger documents_deleted after delete on :"schema".documents
  for each row when (pg_trigger_depth() = 0 and old.kind in ('api-key', 'replay'))
  execute function :"schema".document_written();
