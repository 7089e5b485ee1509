-- An attempt counts from when it begins, and not from when it is claimed. begun_at is when that was under the lease of
-- now, lost_at under one before, whose worker was lost before it wrote how it went. No index holds them: to begin is an
-- update that stays on its page.

alter table :"schema".queue add column begun_at timestamptz, add column lost_at timestamptz;
