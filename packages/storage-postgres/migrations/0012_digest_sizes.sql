-- How large the payload of a delivery that gathers is: a digest has as many as fit.

alter table :"schema".queue add column gathered_bytes integer;
update :"schema".queue q set gathered_bytes = octet_length(e.payload) from :"schema".events e
  where q.digest_id = '' and e.id = q.event_id;

-- Numbers digests over what gathers for a binding, in its order: each has as many as most and max_bytes allow, and at
-- least one. The state is the number of the digest, how many it has, and their bytes.

create function :"schema".digest_step(state bigint[], bytes bigint, most bigint, max_bytes bigint) returns bigint[]
  language sql immutable as $$
  select case
    when state is null then array[0, 1, bytes]
    when state[2] >= most or state[3] + bytes > max_bytes then array[state[1] + 1, 1, bytes]
    else array[state[1], state[2] + 1, state[3] + bytes]
  end
$$;
create aggregate :"schema".digest_of(bytes bigint, most bigint, max_bytes bigint) (
  sfunc = :"schema".digest_step,
  stype = bigint[]
);
