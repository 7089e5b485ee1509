-- What the attempts of a delivery left for the next one, also when it has ended without being delivered: who asks for a
-- retry then reaches those that it has not reached.

alter table :"schema".deliveries add column memo text;
