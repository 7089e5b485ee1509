-- A connection that kept numbers for itself would give them out late: what is published later must have a higher one,
-- whatever connection it goes over.

alter sequence :"schema".queue_position cache 1;
