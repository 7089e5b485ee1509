-- What an attempt left for the next one.

alter table :"schema".queue add column memo text;

-- A delivery of a digest is gathering while digest_id is empty; from then on it is the event id of the digest's first,
-- which alone is ready, due and claimed, and stands for the others. Those have no alarm: their due_at is infinity.

alter table :"schema".queue add column digest_id text collate "C";
-- When the window of a delivery that gathers is over; of one that is in a digest, when that is due.
alter table :"schema".queue add column gathers_until timestamptz;

create index queue_ripening on :"schema".queue (gathers_until) where digest_id = '';
create index queue_digests on :"schema".queue (binding_id, digest_id, position) where digest_id is not null;

-- How long each of "binding_ids" gathers, in milliseconds; null for those that do not. Bindings that wait for another
-- to fail are in none of the three.

alter table :"schema".webhooks add column binding_windows float8[];
