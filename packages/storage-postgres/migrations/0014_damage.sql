-- The array that a text holds as JSON; null where it holds none: a row that somebody has damaged must not fail what is done
-- for others in the same statement.

create function :"schema".json_array_in(value text) returns json
  language plpgsql immutable as $$
declare
  held json;
begin
  held := value;
  return case when json_typeof(held) = 'array' then held end;
exception when others then
  return null;
end
$$;
