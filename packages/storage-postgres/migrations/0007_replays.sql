-- Replays: one starts many deliveries again, step by step. Few, and small.

create table :"schema".replays (
  -- While it is running: when its next step is due or, with a lease, when that is over.
  due_at timestamptz not null,
  -- Whose step it is: half of the token.
  lease bigint,
  replayed bigint not null,
  skipped bigint not null,
  per_second integer not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  id text collate "C" primary key,
  tenant_id text collate "C" not null,
  status text not null,
  -- JSON, as it was given.
  selection text not null,
  -- Where the next step goes on in the deliveries.
  "cursor" text
);

create index replays_due on :"schema".replays (due_at) where status = 'running';
create index replays_finished on :"schema".replays (finished_at) where finished_at is not null;
