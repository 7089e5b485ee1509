-- Keys to the management API: of each, what its tenant may see and its hash, never the key itself.

create table :"schema".api_keys (
  id text collate "C" primary key,
  tenant_id text collate "C" not null,
  -- Newer ones have a higher one.
  position bigint generated always as identity,
  name text not null,
  mode text not null,
  scopes text[] not null,
  -- The SHA-256 of the key, base64url.
  hash text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  -- In no index, so that a use of the key touches none.
  last_used_at timestamptz,
  revoked_at timestamptz
);

create unique index api_keys_newest on :"schema".api_keys (tenant_id, position);
