-- Since when a delivery is put off, as its receiver is busy: how long that may go on is not a matter of how old its event is.

alter table :"schema".queue add column put_off_since timestamptz;
