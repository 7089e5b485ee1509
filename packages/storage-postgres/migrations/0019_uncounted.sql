-- How many attempts since the last manual retry the schedule leaves out: those that may never have been sent, as they began
-- with their claim and their worker was lost. Null for none, which takes no room.

alter table :"schema".queue add column uncounted smallint;
